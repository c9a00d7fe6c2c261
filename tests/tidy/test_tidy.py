"""Checks properties of the code itself: the house rules that no linter knows."""

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "shared", "deploy", "tests", "docs")

FILE_LINES_MAX = 400
BODY_LINES_MAX = 50
BODY_LINES_MEDIAN_MAX = 8
LINE_CHARACTERS_MAX = 100
MOCKS_PER_TEST_MAX = 0.05

SERVICES = ("intake", "router", "sla-monitor", "notifier")
SEVEN = ("__init__", "__main__", "app", "domain", "handlers", "settings", "store")
SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE \w+|DELETE FROM|WITH \w+ AS|CREATE \w+|ALTER \w+|DROP \w+"
    r"|TRUNCATE|GRANT|REVOKE|LISTEN|NOTIFY|COPY \w+)\s"
)
SQL_PLACES = re.compile(
    r"(services|deploy/premium)/.+/store(/\w+)?\.py"
    r"|shared/src/shared/(platform/(dead_letters|idempotency|processed_events|offsets|outbox|postgres|relay|migrations/\w+)|(platform/access|web)/store)\.py"
    r"|deploy/(devstack/src/devstack|lab/src/lab/(proof|bench))(/\w+)*\.py"
)
MOCK = re.compile(r"\b(Magic|Async)?Mock\(|\bpatch(\.\w+)?\(|\bmonkeypatch\.setattr\(")
EVASIONS = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b|\bsleep\((?!0\))")
CONSUMERS = re.compile(r"\bAIOKafkaConsumer\(")
CONSUMER_PLACES = {
    "shared/src/shared/platform/record_batches.py",
    "deploy/lab/src/lab/bench/baseline_process.py",  # the baseline of a benchmark
}
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(root|home/\w+|Users/\w+|work)/")

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A Python file; ``place`` is its path from the root, for messages."""

    place: str
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        """Tests, and what they share, may do what the product may not."""
        return self.place.startswith(("tests/", "shared/src/shared/testing/"))

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Name a place in the file the way editors open it."""
        return f"{self.place}:{node.lineno}"


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """List every file that people wrote, but for those at the top."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in found if path.is_file() and _is_visible(path))


@pytest.fixture(scope="module")
def sources(files: list[Path]) -> list[Source]:
    """Parse every Python file."""
    texts = {path: path.read_text() for path in files if path.suffix == ".py"}
    return [Source(str(p.relative_to(ROOT)), text, ast.parse(text)) for p, text in texts.items()]


def test_no_file_outgrows_its_reader(sources: list[Source]) -> None:
    """A module has at most 400 lines; a longer one becomes a package."""
    assert_none([s.place for s in sources if s.text.count("\n") > FILE_LINES_MAX])


def test_no_function_outgrows_a_screen(sources: list[Source]) -> None:
    """A function's body has at most 50 lines, its docstring not counted."""
    found = [s.at(f) for s in sources for f in _functions(s) if _body_lines(f) > BODY_LINES_MAX]
    assert_none(found)


def test_most_functions_are_short(sources: list[Source]) -> None:
    """Half of the product's functions have at most 8 lines."""
    product = [s for s in sources if not s.is_test]
    lines = [_body_lines(f) for s in product for f in _functions(s)]
    assert statistics.median(lines) <= BODY_LINES_MEDIAN_MAX


def test_no_line_is_too_wide(files: list[Path]) -> None:
    """SQL, pages and scripts keep to 100 characters, as ruff sees to for Python."""
    suffixes = {".sql", ".html", ".css", ".js", ""}
    found = [
        f"{path}:{number}"
        for path in files
        if path.suffix in suffixes
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LINE_CHARACTERS_MAX
    ]
    assert_none(found)


def test_every_module_says_what_it_is_for(sources: list[Source]) -> None:
    """Each module opens with a sentence of one line."""
    assert_none([s.place for s in sources if not _is_sentence(ast.get_docstring(s.tree) or "")])


def test_every_test_states_its_rule(sources: list[Source]) -> None:
    """A test's docstring is the rule it keeps, as a sentence."""
    tests = [(s, f) for s in sources for f in _functions(s) if f.name.startswith("test_")]
    assert_none([s.at(f) for s, f in tests if not _is_sentence(ast.get_docstring(f) or "")])


def test_sql_lives_in_store(sources: list[Source]) -> None:
    """No statement stands outside store.py and the few shared modules that speak to PostgreSQL."""
    product = [s for s in sources if not s.is_test and not SQL_PLACES.fullmatch(s.place)]
    found = [s.at(text) for s in product for text in _strings(s) if SQL.match(str(text.value))]
    assert_none(found)


def test_every_consumer_reads_every_batch(sources: list[Source]) -> None:
    """The product makes consumers by `record_batches.reader`, or by BatchConsumer."""
    made = {s.place for s in sources if not s.is_test and CONSUMERS.search(s.text)}
    assert made == CONSUMER_PLACES


def test_fakes_not_patches(sources: list[Source]) -> None:
    """There is at most one mock or patch to twenty tests."""
    tests = [s for s in sources if s.place.startswith("tests/") and "tidy" not in s.place]
    count = sum(f.name.startswith("test_") for s in tests for f in _functions(s))
    mocks = [s.place for s in tests for _ in MOCK.findall(s.text)]
    assert len(mocks) <= MOCKS_PER_TEST_MAX * count, mocks


def test_no_test_looks_away(sources: list[Source]) -> None:
    """Tests neither skip, nor expect to fail, nor sleep; only chaos may strike at any moment."""
    own = ("tests/tidy/", "tests/chaos/")
    tests = [s for s in sources if s.is_test and not s.place.startswith(own)]
    assert_none([s.place for s in tests if EVASIONS.search(s.text)])


def test_every_service_has_the_same_seven_files() -> None:
    """Whoever knows one service finds their way in all; a file may have become a package."""
    wanted = [
        f"services/{service}/src/{service.replace('-', '_')}/{name}"
        for service in SERVICES
        for name in SEVEN
    ]
    missing = [p for p in wanted if not (ROOT / f"{p}.py").exists() and not (ROOT / p).is_dir()]
    assert_none(missing)


def test_nothing_names_a_machine(files: list[Path]) -> None:
    """No path of somebody's machine stands in the repository."""
    tops = [path for path in ROOT.iterdir() if path.is_file()]
    texts = {path: path.read_text(errors="replace") for path in [*tops, *files]}
    assert_none([str(path) for path, text in texts.items() if MACHINE_PATHS.search(text)])


def test_the_lock_file_names_public_indexes_only() -> None:
    """Anybody can install what the lock file names."""
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def assert_none(found: list[str]) -> None:
    """Name what breaks the rule, a line each."""
    assert not found, "\n".join(found)


def _functions(source: Source) -> Iterator[Function]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _strings(source: Source) -> Iterator[ast.Constant]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def _is_sentence(text: str) -> bool:
    return text.partition("\n")[0].endswith((".", "?", "!"))


def _is_visible(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(part.startswith(".") or part == "__pycache__" for part in parts)
