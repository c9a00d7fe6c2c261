"""The table in README.md: the topics that each service reads and writes."""

import re
from collections.abc import Iterable
from typing import Final

from docs.services import HANDLERS

__all__ = ["renewed"]

TABLE: Final = re.compile(r"(?<=<!-- table: services -->\n).*?(?=<!-- end -->)", re.DOTALL)
HEAD: Final = "| service | consumes | emits | owns | promise |\n|---|---|---|---|---|\n"


def renewed(readme: str) -> str:
    """Return README with an up-to-date table."""
    return TABLE.sub(lambda table: _services(table[0]), readme)


def _services(table: str) -> str:
    """Keep the columns that are written by hand; take the topics from the services' code."""
    rows = {row.split("[")[1].split("]")[0]: row for row in table.splitlines() if "](" in row}
    return HEAD + "".join(_row(service, rows[service]) for service in HANDLERS)


def _row(service: str, row: str) -> str:
    owns, promise = (cell.strip() for cell in row.strip("|").split("|")[-2:])
    link = f"[{service}](services/{service}/README.md)"
    handlers = HANDLERS[service]
    cells = (link, _topics(handlers.CONSUMES), _topics(handlers.EMITS), owns, promise)
    return f"| {' | '.join(cells)} |\n"


def _topics(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)
