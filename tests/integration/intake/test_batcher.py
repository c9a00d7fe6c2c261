"""The batcher on a real PostgreSQL: requests share a transaction, but not their errors."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from intake.batcher import Batcher
from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx

SAVE = """
    INSERT INTO processed_event (event_id)
    SELECT ('00000000-0000-0000-0000-' || lpad($1, 12, '0'))::uuid
"""
COUNT = "SELECT count(*) FROM processed_event"


@dataclass(frozen=True)
class Request:
    """A number to save, or an error to raise."""

    number: int
    error: Exception | None = None
    size: int = 1


class Handler:
    """Saves the numbers of batches; keeps the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def handle(self, tx: Tx, requests: Sequence[Request]) -> list[int]:
        """Save each number; fail at the first request with an error."""
        self.batches.append(len(requests))
        for request in requests:
            await tx.execute(SAVE, str(request.number))
            if request.error is not None:
                raise request.error
        return [request.number for request in requests]


async def submit_all(db: Database, *requests: Request) -> tuple[Handler, list[int | BaseException]]:
    """Submit requests at the same time; return the handler, and the results in order."""
    handler = Handler()
    batcher = Batcher[Request, int]("test", db, handler.handle)
    tasks = [asyncio.create_task(batcher.submit(request)) for request in requests]
    await asyncio.gather(*(asyncio.wait({task}, timeout=0) for task in tasks))
    await batcher.start()
    await batcher.stop()
    return handler, await asyncio.gather(*tasks, return_exceptions=True)


async def count(db: Database) -> int:
    """Count the saved numbers."""
    async with db.session() as session:
        saved: int = await session.fetchval(COUNT)
    return saved


async def test_waiting_requests_share_a_transaction(db: Database) -> None:
    """Each gets its own result."""
    handler, results = await submit_all(db, *(Request(n) for n in range(9)))
    assert (handler.batches, results) == ([9], list(range(9)))


async def test_the_size_of_a_batch_is_limited(db: Database) -> None:
    """What exceeds the limit waits for the next batch; a single request may be larger."""
    requests = Request(0, size=300), Request(1, size=300), Request(2, size=900)
    handler, results = await submit_all(db, *requests)
    assert (handler.batches, results) == ([1, 1, 1], [0, 1, 2])


async def test_an_error_is_raised_for_its_request_only(db: Database) -> None:
    """The other requests get their results, and are saved once."""
    error = ValueError("odd")
    requests = [Request(n, error if n == 5 else None) for n in range(9)]
    _, results = await submit_all(db, *requests)
    assert results == [0, 1, 2, 3, 4, error, 6, 7, 8]
    assert await count(db) == 8


async def test_a_transient_error_is_raised_for_all_requests(db: Database) -> None:
    """While a server is unavailable nothing is saved, and the batch is not tried again."""
    error = Transient("PostgreSQL")
    handler, results = await submit_all(db, Request(0), Request(1, error))
    assert (handler.batches, results) == ([2], [error, error])
    assert await count(db) == 0


async def test_a_cancelled_request_is_left_out(db: Database) -> None:
    """A request that timed out before its batch began is not handled."""
    handler = Handler()
    batcher = Batcher[Request, int]("test", db, handler.handle)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await batcher.submit(Request(0))
    await batcher.start()
    assert await batcher.submit(Request(1)) == 1
    await batcher.stop()
    assert handler.batches == [1]
