"""`premium redrive SERVICE`: send dead letters back to their topics, byte for byte.

Each is sent once, by the service's own outbox. A record that still fails becomes a dead letter
again, with its new reason.
"""

import asyncio
from collections import Counter
from itertools import batched
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from premium.profile import SERVICES, read_profile, service_named
from shared.platform import dead_letters
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Database

__all__ = ["redrive", "redriven"]

_BATCH_MAX: Final = 100


def redrive(
    service: Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")],
    *,
    list_only: Annotated[bool, typer.Option("--list", help="only show them")] = False,
) -> None:
    """Send the dead letters of SERVICE back to the topics they came from, each once."""
    dsn = read_profile().dsn(service_named(service))
    letters = asyncio.run(_redriven(dsn, list_only=list_only))
    table = Table("came from", "reason", "records", title=f"dead letters of {service}")
    for (topic, reason), count in sorted(Counter((x.topic, x.reason) for x in letters).items()):
        table.add_row(topic, reason, str(count))
    console = Console()
    if letters:
        console.print(table)
    done = "found" if list_only else "sent back"
    console.print(f"{len(letters)} dead letters {done}")


async def _redriven(dsn: str, *, list_only: bool) -> list[DeadLetter]:
    db = Database(dsn, service="premium", connections_max=1)
    await db.start()
    try:
        return await redriven(db, list_only=list_only)
    finally:
        await db.stop()


async def redriven(db: Database, *, list_only: bool = False) -> list[DeadLetter]:
    """Redrive the present dead letters, 100 in a transaction, and return them."""
    async with db.session() as session:
        waiting = await dead_letters.all_parked(session)
    if list_only:
        return waiting
    sent: list[DeadLetter] = []
    for batch in batched(waiting, _BATCH_MAX):
        async with db.transaction() as tx:
            sent += await dead_letters.redrive(tx, batch)
    return sent
