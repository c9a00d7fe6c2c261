"""The outbox: what a transaction announces is in it, and one relay publishes it in order.

One active relay per service, under a session-level advisory lock on the very connection that
reads and deletes the rows: who lost the lock can no longer delete. Oldest first, keyed; rows are
deleted once the broker has them. Never "id greater than the last one": ids commit out of order.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

import structlog
from pydantic_core import from_json, to_json

from shared import telemetry
from shared.clock import elapsed_s, or_after
from shared.errors import Transient
from shared.events import Envelope, Event
from shared.events.codec import Header, attributes_of, value_of
from shared.postgres import Database, Tx
from shared.publisher import Outgoing, Publisher

__all__ = ["Relay", "add", "add_raw", "age_s", "packed", "unpacked", "unsent"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 1000
_FEW: Final = 25
_IDLE_S: Final = 0.25
_RETRY_S: Final = 1.0

COLUMNS: Final = ("topic", "key", "value", "headers", "partition")
LEAD: Final = "SELECT pg_try_advisory_lock(hashtext('outbox relay'))"
OLDEST: Final = """
    SELECT id, topic, key, value, headers, partition FROM outbox ORDER BY id LIMIT $1
"""
HURRY: Final = "SET synchronous_commit = off"
"""A deletion that a crash forgets is a repeat on the wire, which readers drop."""
UNSENT: Final = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM outbox"
AGE: Final = """
    SELECT coalesce((
        SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
        FROM outbox ORDER BY id LIMIT 1), 0)
"""
DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

type _Row = tuple[str, bytes | None, bytes | None, str, int | None]


async def add(
    tx: Tx, envelopes: Iterable[Envelope[Event]], *, partitions: Iterable[int] | None = None
) -> None:
    """Announce events with the transaction: both or neither, in this order.

    Their keys say on which partitions they will stand; whoever knows that already names them.
    """
    places = repeat(None) if partitions is None else partitions
    rows: list[_Row] = [
        (
            e.event.topic,
            e.event.subject.encode(),
            value_of(e.event),
            _attributes(e),
            partition,
        )
        for e, partition in zip(envelopes, places, strict=False)
    ]
    await _insert(tx, rows)


async def add_raw(
    tx: Tx, *, topic: str, key: bytes | None, value: bytes | None, headers: Iterable[Header]
) -> None:
    """Announce a record as it is, byte for byte: what is said of dead letters, and a redrive."""
    await _insert(tx, [(topic, key, value, packed(headers), None)])


async def unsent(tx: Tx) -> int:
    """Measure how far the relay is behind, in rows: at most so many wait."""
    rows: int = await tx.fetchval(UNSENT)
    return rows


async def age_s(tx: Tx) -> float:
    """Measure how long the oldest row has waited for the relay, in seconds."""
    age: float = await tx.fetchval(AGE)
    return age


async def _insert(tx: Tx, rows: Sequence[_Row]) -> None:
    if rows:
        await tx.copy("outbox", COLUMNS, rows)
        tx.announces = True


def packed(headers: Iterable[Header]) -> str:
    """Write headers as JSON; their bytes are read as Latin-1, which has a letter for each."""
    return _json([(name, None if raw is None else raw.decode("latin-1")) for name, raw in headers])


def _json(pairs: Sequence[tuple[str, str | None]]) -> str:
    return to_json(pairs).decode()


def _attributes(envelope: Envelope[Event]) -> str:
    attributes = attributes_of(envelope)
    text = _json(attributes)
    if text.isascii():
        return text
    return _json([(name, text.encode().decode("latin-1")) for name, text in attributes])


def unpacked(text: str) -> list[Header]:
    """Read back what `packed` wrote."""
    pairs = from_json(text)
    return [(name, None if value is None else value.encode("latin-1")) for name, value in pairs]


class Relay:
    """Publishes the outbox. Several may run: one leads, the others wait for its lock.

    After few rows it waits ``patience_ms`` for more: fewer rounds, which cost as much for one row
    as for many, and what comes after a lull is not delayed.
    """

    def __init__(self, db: Database, publisher: Publisher, *, patience_ms: int = 0) -> None:
        self._db = db
        self._publisher = publisher
        self._patience_s = patience_ms / 1000
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looked_at = elapsed_s()
        db.on_announce = self._wake.set

    @property
    def silent_s(self) -> float:
        """Seconds since the relay last did, or found nothing to do: its health."""
        return elapsed_s(self._looked_at)

    async def start(self) -> None:
        """Start relaying in the background."""
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Publish what is there, then leave."""
        self._stop.set()
        self._wake.set()
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                async with self._db.session() as session:
                    await self._relay(session)
            except Transient as e:
                _LOG.warning("relay_waits", reason=str(e))
                await or_after(self._stop.wait(), _RETRY_S)

    async def _relay(self, session: Tx) -> None:
        await session.execute(HURRY)
        while not await session.fetchval(LEAD):
            self._looked_at = elapsed_s()
            await or_after(self._wake.wait(), _RETRY_S)
            self._wake.clear()
            if self._stop.is_set():
                return
        while True:
            self._wake.clear()
            published = await self._publish_oldest(session)
            self._looked_at = elapsed_s()
            if published == _BATCH_MAX:
                continue
            if self._stop.is_set():
                return
            if self._patience_s and 0 < published < _FEW:
                await or_after(self._stop.wait(), self._patience_s)
            await or_after(self._wake.wait(), _IDLE_S)

    async def _publish_oldest(self, session: Tx) -> int:
        """Publish and delete the oldest; their number comes back."""
        rows = await session.fetch(OLDEST, _BATCH_MAX)
        if not rows:
            return 0
        await self._publisher.publish(
            Outgoing(
                row["topic"],
                row["key"],
                row["value"],
                unpacked(row["headers"]),
                row["partition"],
            )
            for row in rows
        )
        await session.execute(DELETE, [row["id"] for row in rows])
        telemetry.RELAYED.inc(len(rows))
        return len(rows)
