"""`premium redrive SERVICE`: send dead letters back to their topics, byte for byte.

Each is sent once, by the service's own outbox. A record that still fails becomes a dead letter
again, with its new reason.
"""

from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from premium.api import ServiceApi, admin_api
from premium.interrupt import run
from premium.profile import SERVICES, read_profile, service_named
from shared.platform.admin_api import DeadLetterCount, DeadLetters

__all__ = ["redrive"]


def redrive(
    service: Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")],
    *,
    list_only: Annotated[bool, typer.Option("--list", help="only show them")] = False,
) -> None:
    """Send the dead letters of SERVICE back to the topics they came from, each once."""
    api = admin_api(read_profile(), service_named(service))
    counts = run(_redriven(api, list_only=list_only))
    table = Table("came from", "reason", "records", title=f"dead letters of {service}")
    for (topic, reason), count in sorted(counts.items()):
        table.add_row(topic, reason, str(count))
    console = Console()
    if counts:
        console.print(table)
    done = "found" if list_only else "sent back"
    console.print(f"{counts.total()} dead letters {done}")


async def _redriven(api: ServiceApi, *, list_only: bool) -> Counter[tuple[str, str]]:
    """Redrive the present dead letters, and count them by topic and reason."""
    waiting = await api.get("/dead-letters", DeadLetters)
    if list_only:
        return _counter(waiting.counts)
    sent: Counter[tuple[str, str]] = Counter()
    body = {"last_id": waiting.last_id}
    path = "/dead-letters/redrive"
    while some := await api.send("POST", path, list[DeadLetterCount], body):
        sent += _counter(some)
    return sent


def _counter(counts: list[DeadLetterCount]) -> Counter[tuple[str, str]]:
    return Counter({(one.topic, one.reason): one.records for one in counts})
