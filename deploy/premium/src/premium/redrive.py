"""`premium redrive SERVICE`: give dead letters another try, byte for byte.

Each goes back once to the topic it came from, by the service's own outbox. A record that is still
bad is parked again, with the reason it has now.
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
    list_only: Annotated[bool, typer.Option("--list", help="show them, send nothing")] = False,
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
    """Redrive what lies aside now, a few in each transaction; the dead letters come back."""
    async with db.session() as session:
        lying = await dead_letters.all_parked(session)
    if list_only:
        return lying
    sent: list[DeadLetter] = []
    for some in batched(lying, _BATCH_MAX):
        async with db.transaction() as tx:
            sent += await dead_letters.redrive(tx, some)
    return sent
