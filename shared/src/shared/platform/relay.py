"""The relay publishes the outbox in order, and no row keeps it from the others.

One active relay per service, under a session-level advisory lock on the very connection that
reads and deletes the rows: who lost the lock can no longer delete. Oldest first, keyed; rows are
deleted once the broker has them. Never "id greater than the last one": ids commit out of order.

A row that the broker will never take is parked as a dead letter, and what comes after it goes on;
rows of a topic that takes nothing stay where they are, in order, until it does.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, override

import asyncpg
import structlog

from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Poison, Transient
from shared.platform import dead_letters, telemetry
from shared.platform.background import Background
from shared.platform.outbox import unpacked
from shared.platform.postgres import Database, Tx
from shared.platform.publisher import UNCLEAR, Outgoing, Publisher, TopicUnavailable

__all__ = ["Relay"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 1000
_FEW: Final = 25
_IDLE_S: Final = 0.25
_RETRY_S: Final = 1.0
_TRIES_MAX: Final = 3
_BAD_HEADERS: Final = "bad_headers"

LEAD: Final = "SELECT pg_try_advisory_lock(hashtext('outbox relay'))"
OLDEST: Final = """
    SELECT id, topic, key, value, headers, partition
    FROM outbox WHERE topic <> ALL($2::text[]) ORDER BY id LIMIT $1
"""
HURRY: Final = "SET synchronous_commit = off"
"""A deletion that a crash forgets is a repeat on the wire, which readers drop."""
DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
TAKE: Final = "DELETE FROM outbox WHERE id = $1 RETURNING id"


class Relay(Background):
    """Publishes the outbox. Several may run: one leads, the others wait for its lock.

    After few rows it waits ``linger_ms`` for more: fewer rounds, which cost as much for one row
    as for many, and what comes after a lull is not delayed. Its lock needs a session of its own:
    ``sessions`` gives it one where ``db`` is pooled.
    """

    def __init__(
        self,
        db: Database,
        publisher: Publisher,
        *,
        linger_ms: int = 0,
        sessions: Database | None = None,
    ) -> None:
        super().__init__("relay")
        self._db = db
        self._sessions = sessions or db
        self._publisher = publisher
        self._patience_s = linger_ms / 1000
        self._wake = asyncio.Event()
        self._looked_at = elapsed_s()
        self._unavailable: dict[str, float] = {}
        """Topics that take nothing, and when they were last tried."""
        db.on_announce = self._wake.set

    @property
    def silent_s(self) -> float:
        """Seconds since the relay last did, or found nothing to do: its health."""
        return elapsed_s(self._looked_at)

    @override
    async def stop(self) -> None:
        """Publish what is there, then leave."""
        self._stop.set()
        self._wake.set()
        await super().stop()

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                async with self._sessions.session() as session:
                    await self._relay(session)
            except Transient as e:
                _LOG.warning("relay_waits", reason=str(e))
                await wait_at_most(self._stop.wait(), _RETRY_S)

    async def _relay(self, session: Tx) -> None:
        await session.execute(HURRY)
        while not await session.fetchval(LEAD):
            self._looked_at = elapsed_s()
            await wait_at_most(self._wake.wait(), _RETRY_S)
            self._wake.clear()
            if self._stop.is_set():
                return
        while True:
            self._wake.clear()
            published = await self._publish_oldest(session)
            self._looked_at = elapsed_s()
            if published is None or published == _BATCH_MAX:
                continue
            if self._stop.is_set():
                return
            if self._patience_s and 0 < published < _FEW:
                await wait_at_most(self._stop.wait(), self._patience_s)
            await wait_at_most(self._wake.wait(), _IDLE_S)

    async def _publish_oldest(self, session: Tx) -> int | None:
        """Publish and delete the oldest; their number, or None when a topic has to wait."""
        waiting = [t for t, at in self._unavailable.items() if elapsed_s(at) < _RETRY_S]
        rows = await session.fetch(OLDEST, _BATCH_MAX, waiting)
        try:
            await self._publish(session, rows)
        except TopicUnavailable as e:
            self._hold_back(e)
            return None
        self._take_up_again(self._unavailable.keys() - set(waiting))
        return len(rows)

    async def _publish(self, session: Tx, rows: Sequence[asyncpg.Record], tries: int = 1) -> None:
        """Publish rows and delete them; park the one that the broker refuses, once it is alone."""
        if not rows:
            return
        try:
            await self._publisher.publish([_outgoing(row) for row in rows])
        except Poison as e:
            if len(rows) > 1:
                middle = len(rows) // 2
                await self._publish(session, rows[:middle])
                await self._publish(session, rows[middle:])
            elif e.reason == UNCLEAR and tries < _TRIES_MAX:
                await wait_at_most(self._stop.wait(), _RETRY_S)
                if self._stop.is_set():
                    raise Transient("leaves before it is clear whether a row can be sent") from e
                await self._publish(session, rows, tries + 1)
            else:
                await self._park(rows[0], e, tries)
            return
        await session.execute(DELETE, [row["id"] for row in rows])
        self._looked_at = elapsed_s()
        telemetry.RELAYED.inc(len(rows))

    async def _park(self, row: asyncpg.Record, why: Poison, tries: int) -> None:
        """Put a row aside, unless another relay was quicker."""
        service = self._publisher.service
        async with self._db.transaction() as tx:
            if await tx.fetchval(TAKE, row["id"]) is None:
                return
            refused = _refused(row, why)
            await dead_letters.park_refused(tx, refused, why, service=service, attempts=tries)
        _LOG.error("row_parked", topic=row["topic"], reason=why.reason, detail=why.detail)

    def _hold_back(self, e: TopicUnavailable) -> None:
        if e.topic not in self._unavailable:
            _LOG.error("topic_unavailable", topic=e.topic, reason=str(e))
        self._unavailable[e.topic] = elapsed_s()
        telemetry.TOPIC_UNAVAILABLE.labels(e.topic).set(1)

    def _take_up_again(self, topics: Iterable[str]) -> None:
        for topic in topics:
            del self._unavailable[topic]
            telemetry.TOPIC_UNAVAILABLE.labels(topic).set(0)
            _LOG.info("topic_available", topic=topic)


def _outgoing(row: asyncpg.Record) -> Outgoing:
    try:
        headers = unpacked(row["headers"])
    except (ValueError, TypeError) as e:
        raise Poison(_BAD_HEADERS, f"{row['headers']}: {e}; mend the service") from e
    return Outgoing(row["topic"], row["key"], row["value"], headers, row["partition"])


def _refused(row: asyncpg.Record, why: Poison) -> Outgoing:
    """Keep of a row what can be kept: headers that cannot be read stand in the reason."""
    if why.reason == _BAD_HEADERS:
        return Outgoing(row["topic"], row["key"], row["value"], [], row["partition"])
    return _outgoing(row)
