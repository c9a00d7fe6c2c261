"""The glossary names what the code has."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from shared.events import CATALOGUE

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?!term |---)(?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<where>[^|]+) \|$")
CREATED = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
ROWS = [
    found.groupdict()
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if (found := ROW.match(line))
]


def test_a_term_has_one_meaning() -> None:
    """Each term stands in one row."""
    terms = [row["term"] for row in ROWS]
    assert len(terms) > 50
    assert sorted(terms) == sorted(set(terms))


def test_a_glossary_is_sorted() -> None:
    """Within a section, terms stand in the order of the alphabet, whatever their case."""
    for section in (ROOT / "docs" / "glossary.md").read_text().split("\n## ")[1:]:
        found = [row["term"] for line in section.splitlines() if (row := ROW.match(line))]
        assert found == sorted(found, key=str.casefold), section.partition("\n")[0]


@pytest.mark.parametrize("row", ROWS, ids=[row["term"] for row in ROWS])
def test_a_term_is_where_the_glossary_says(row: dict[str, str]) -> None:
    """Modules and names can be imported; events, topics and tables exist."""
    places = re.findall(r"(topic|table)?\s?`([^`]+)`(?: of ([\w-]+))?", row["where"])
    assert places
    assert [name for kind, name, owner in places if not _exists(kind, name, owner)] == []


def _exists(kind: str, name: str, owner: str) -> bool:
    match kind:
        case "table":
            return name in _tables(owner)
        case "topic":
            topics = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text())
            return name in {topic["name"] for topic in topics}
        case _:
            return name in CATALOGUE or _is_importable(name)


def _tables(owner: str) -> set[str]:
    """List the tables that the migrations of a service, or those that all share, create."""
    folder = ROOT / ("shared" if owner == "shared" else f"services/{owner}") / "src"
    files = folder.rglob("migrations/*.sql")
    return {name for file in files for name in CREATED.findall(file.read_text())}


def _is_importable(name: str) -> bool:
    """Tell whether it is a module, or a name in one."""
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return bool(module) and hasattr(import_module(module), attribute)
    return True
