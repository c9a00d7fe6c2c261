"""The relay publishes the rows of the outbox in order; no bad row blocks the others.

One relay per service is active. It holds a session-level advisory lock on the connection that
reads and deletes the rows, so a relay that lost the lock cannot delete. It reads the oldest rows
and deletes them once the broker has them. It never reads "id greater than the last one": ids do not
commit in order.

A row that the broker refuses is parked as a dead letter, and the next rows go on. Rows of a topic
that accepts nothing wait in the outbox, in order, until it does.
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
COMMIT_ASYNCHRONOUSLY: Final = "SET synchronous_commit = off"
"""A delete that is lost in a crash only means a resend; consumers deduplicate."""
DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
TAKE: Final = "DELETE FROM outbox WHERE id = $1 RETURNING id"


class Relay(Background):
    """Publishes the outbox. Several may run: one is active, the others wait for its lock.

    After a small batch it waits ``linger_ms`` for more rows: a round costs as much for one row as
    for many. Rows that arrive after a pause are not delayed. The lock needs a session of its own:
    ``sessions`` provides it where ``db`` is pooled.
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
        self._linger_s = linger_ms / 1000
        self._wake = asyncio.Event()
        self._looked_at = elapsed_s()
        self._unavailable: dict[str, float] = {}
        """Topics that accept nothing, with the time of the last attempt."""
        db.on_announce = self._wake.set

    @property
    def silent_s(self) -> float:
        """Seconds since the relay's last round, even one without rows: its health."""
        return elapsed_s(self._looked_at)

    @override
    async def stop(self) -> None:
        """Publish the remaining rows if this relay is the active one, then end."""
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
        await session.execute(COMMIT_ASYNCHRONOUSLY)
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
            if self._linger_s and 0 < published < _FEW:
                await wait_at_most(self._stop.wait(), self._linger_s)
            await wait_at_most(self._wake.wait(), _IDLE_S)

    async def _publish_oldest(self, session: Tx) -> int | None:
        """Publish and delete the oldest rows; return their number; None if a topic must wait."""
        waiting = [t for t, at in self._unavailable.items() if elapsed_s(at) < _RETRY_S]
        rows = await session.fetch(OLDEST, _BATCH_MAX, waiting)
        try:
            await self._publish(session, rows)
        except TopicUnavailable as e:
            self._hold_back(e)
            return None
        self._resume(self._unavailable.keys() - set(waiting))
        return len(rows)

    async def _publish(self, session: Tx, rows: Sequence[asyncpg.Record], tries: int = 1) -> None:
        """Publish and delete rows; if one is refused, find it by halving the batch, and park it."""
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
                    raise Transient("stopped before it was clear whether a row can be sent") from e
                await self._publish(session, rows, tries + 1)
            else:
                await self._park(rows[0], e, tries)
            return
        await session.execute(DELETE, [row["id"] for row in rows])
        self._looked_at = elapsed_s()
        telemetry.RELAYED.inc(len(rows))

    async def _park(self, row: asyncpg.Record, why: Poison, tries: int) -> None:
        """Park a row, unless another relay has already removed it."""
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

    def _resume(self, topics: Iterable[str]) -> None:
        for topic in topics:
            del self._unavailable[topic]
            telemetry.TOPIC_UNAVAILABLE.labels(topic).set(0)
            _LOG.info("topic_available", topic=topic)


def _outgoing(row: asyncpg.Record) -> Outgoing:
    try:
        headers = unpacked(row["headers"])
    except (ValueError, TypeError) as e:
        raise Poison(_BAD_HEADERS, f"{row['headers']}: {e}; fix the service") from e
    return Outgoing(row["topic"], row["key"], row["value"], headers, row["partition"])


def _refused(row: asyncpg.Record, why: Poison) -> Outgoing:
    """Build the record to park; headers that cannot be read are left out of it."""
    if why.reason == _BAD_HEADERS:
        return Outgoing(row["topic"], row["key"], row["value"], [], row["partition"])
    return _outgoing(row)
