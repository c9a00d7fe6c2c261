"""Writes anew what README.md says of the code: the topics that each service reads and writes.

With --check nothing is written, and the exit code is 1 if something would have been.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import intake.handlers
import notifier.handlers
import router.handlers
import sla_monitor.handlers

README: Final = Path(__file__).parents[1] / "README.md"
HANDLERS: Final = {
    "intake": intake.handlers,
    "router": router.handlers,
    "sla-monitor": sla_monitor.handlers,
    "notifier": notifier.handlers,
}
TABLE: Final = re.compile(r"(?<=<!-- table: services -->\n).*?(?=<!-- end -->)", re.DOTALL)
HEAD: Final = "| service | consumes | emits | owns | promise |\n|---|---|---|---|---|\n"


def main() -> int:
    """Bring the table up to date, or say that it is not."""
    old = README.read_text()
    new = TABLE.sub(lambda table: _services(table[0]), old)
    if "--check" not in sys.argv:
        README.write_text(new)
        return 0
    if new != old:
        sys.stderr.write("README.md's table of services is out of date: run `make docs`\n")
    return int(new != old)


def _services(table: str) -> str:
    """Keep the words about what a service owns and promises; take the topics from its code."""
    words = {row.split("[")[1].split("]")[0]: row for row in table.splitlines() if "](" in row}
    return HEAD + "".join(_row(service, words[service]) for service in HANDLERS)


def _row(service: str, row: str) -> str:
    owns, promise = (cell.strip() for cell in row.strip("|").split("|")[-2:])
    link = f"[{service}](services/{service}/README.md)"
    handlers = HANDLERS[service]
    cells = (link, _topics(handlers.CONSUMES), _topics(handlers.EMITS), owns, promise)
    return f"| {' | '.join(cells)} |\n"


def _topics(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
