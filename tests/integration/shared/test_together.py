"""Requests that share a transaction, on a real PostgreSQL: each is answered as if it were alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from intake.batcher import Together
from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx
from shared.testing.databases import MakeDatabase

KEEP = """
    INSERT INTO processed_event (event_id)
    SELECT ('00000000-0000-0000-0000-' || lpad($1, 12, '0'))::uuid
"""
COUNT = "SELECT count(*) FROM processed_event"


@dataclass(frozen=True)
class Asked:
    """A number to be kept; odd faults are those of the one who asks."""

    number: int
    fault: Exception | None = None
    size: int = 1


class Desk:
    """Keeps numbers; remembers how many came together."""

    def __init__(self) -> None:
        self.together: list[int] = []

    async def take(self, tx: Tx, asked: Sequence[Asked]) -> list[int]:
        """Keep each, or fail at the first that has a fault."""
        self.together.append(len(asked))
        for one in asked:
            await tx.execute(KEEP, str(one.number))
            if one.fault is not None:
                raise one.fault
        return [one.number for one in asked]


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Connect to a database of a service."""
    db = Database((await database("intake")).dsn, service="intake")
    await db.start()
    yield db
    await db.stop()


async def ask_all(db: Database, *asked: Asked) -> tuple[Desk, list[int | BaseException]]:
    """Ask at once; the answers come back in order."""
    desk = Desk()
    together = Together[Asked, int]("test", db, desk.take)
    asking = [asyncio.create_task(together.ask(one)) for one in asked]
    await asyncio.gather(*(asyncio.wait({task}, timeout=0) for task in asking))
    await together.start()
    await together.stop()
    return desk, await asyncio.gather(*asking, return_exceptions=True)


async def count(db: Database) -> int:
    """Count what was kept."""
    async with db.session() as session:
        kept: int = await session.fetchval(COUNT)
    return kept


async def test_who_waits_shares_a_transaction(db: Database) -> None:
    """Each gets its own answer."""
    desk, answers = await ask_all(db, *(Asked(n) for n in range(9)))
    assert (desk.together, answers) == ([9], list(range(9)))


async def test_a_transaction_is_no_larger_than_a_batch(db: Database) -> None:
    """What is too much for one is left for the next; one alone may be larger."""
    desk, answers = await ask_all(db, Asked(0, size=300), Asked(1, size=300), Asked(2, size=900))
    assert (desk.together, answers) == ([1, 1, 1], [0, 1, 2])


async def test_a_fault_is_told_to_whose_it_is(db: Database) -> None:
    """The neighbours are answered, and kept once."""
    fault = ValueError("odd")
    asked = [Asked(n, fault if n == 5 else None) for n in range(9)]
    _, answers = await ask_all(db, *asked)
    assert answers == [0, 1, 2, 3, 4, fault, 6, 7, 8]
    assert await count(db) == 8


async def test_a_server_that_is_away_is_told_to_all(db: Database) -> None:
    """Nothing is half done, and nobody is tried a second time."""
    away = Transient("PostgreSQL")
    desk, answers = await ask_all(db, Asked(0), Asked(1, away))
    assert (desk.together, answers) == ([2], [away, away])
    assert await count(db) == 0


async def test_who_gave_up_is_left_out(db: Database) -> None:
    """Nothing is done for them any more."""
    desk = Desk()
    together = Together[Asked, int]("test", db, desk.take)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await together.ask(Asked(0))
    await together.start()
    assert await together.ask(Asked(1)) == 1
    await together.stop()
    assert desk.together == [1]
