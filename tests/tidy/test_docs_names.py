"""Documents name tests, and files in tests/, that exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("docs", "services", "shared", "deploy", "tests")
HISTORY: Final = "CHANGELOG.md"  # names tests as they were then

DEFINED: Final = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
NAMED_FILE: Final = re.compile(r"(?<![\w/])(?:[\w/]+/)?test_\w+\.py|(?<![\w/])tests/[\w/]+\.py")
NAMED_TEST: Final = re.compile(r"(?:(?P<file>[\w/]+\.py)::)?\b(?P<test>test_\w+)\b(?!\.py)")

type Tests = dict[str, set[str]]
"""The names of the test functions in each file; a file is its path from the root."""

EXAMPLE: Final[Tests] = {"tests/unit/a/test_one.py": {"test_it"}, "tests/pool.py": set()}


@pytest.fixture(scope="module")
def tests() -> Tests:
    """Find every file in tests/, and the tests in it."""
    files = (ROOT / "tests").rglob("*.py")
    return {str(p.relative_to(ROOT)): set(DEFINED.findall(p.read_text())) for p in files}


def test_documents_name_tests_that_exist(tests: Tests) -> None:
    """After a test or its file is renamed, the documents have the new name."""
    missing = [
        f"{path.relative_to(ROOT)}:{number}: {name} does not exist in tests/"
        for path in _documents()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for name in _missing(line, tests)
    ]
    assert not missing, "\n" + "\n".join([*missing, "Write the present name in full."])


@pytest.mark.parametrize(
    "text",
    [
        "`test_it`",
        "`test_it[…]`, `test_it[one-two]`",
        "`test_one.py::test_it[…]`",
        "`a/test_one.py`, `tests/unit/a/test_one.py::test_it`",
        "`tests/pool.py`",
    ],
)
def test_names_that_exist_are_found(text: str) -> None:
    """A parameter does not count; the first folders of a path may be omitted."""
    assert list(_missing(text, EXAMPLE)) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`test_other[…]`", ["test_other"]),
        ("`test_i…`", ["test_i"]),
        ("`test_two.py`", ["test_two.py"]),
        ("`b/test_one.py::test_it`", ["b/test_one.py", "b/test_one.py::test_it"]),
        ("`test_one.py::test_other`", ["test_one.py::test_other"]),
        ("`tests/unit/pool.py`", ["tests/unit/pool.py"]),
    ],
)
def test_names_that_do_not_exist_are_reported(text: str, missing: list[str]) -> None:
    """An abbreviated name does not exist, and a test must be in the file named with it."""
    assert list(_missing(text, EXAMPLE)) == missing


def _documents() -> list[Path]:
    """List the documents at the top and in the folders."""
    found = [*ROOT.glob("*.md"), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.md"))]
    return sorted(path for path in found if path.name != HISTORY)


def _missing(text: str, tests: Tests) -> Iterator[str]:
    """Find the files and tests that a text names and that do not exist."""
    for found in NAMED_FILE.finditer(text):
        if not _files(found[0], tests):
            yield found[0]
    for found in NAMED_TEST.finditer(text):
        files = _files(found["file"], tests) if found["file"] else list(tests)
        if not any(found["test"] in tests[file] for file in files):
            yield found[0]


def _files(name: str, tests: Tests) -> list[str]:
    """List the files that a path, or the end of one, names."""
    return [file for file in tests if f"/{file}".endswith(f"/{name}")]
