"""The sweep announces warnings and breaches when they are due, by PostgreSQL's clock.

A sweep is one transaction over the partitions that no other instance is sweeping. It reads the time
once, announces what is due, and once a second publishes the watermark of each partition.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, override
from uuid import NAMESPACE_OID, uuid5

from shared.basics.clock import elapsed_s, wait_at_most
from shared.events import Envelope, WatermarkAdvanced
from shared.platform import outbox
from shared.platform.background import Background
from shared.platform.postgres import Database, Tx
from sla_monitor import domain
from sla_monitor.domain import SOURCE, Announced, Clock
from sla_monitor.store import clocks as clock_store
from sla_monitor.store.clocks import Due, Partition, Share
from sla_monitor.telemetry import LAG_S, SKIPPED, SWEPT

__all__ = ["Sweeper", "sweep"]

_BATCH_MAX: Final = 600
_JUST_DUE_MAX: Final = 120
"""Reserved in each sweep for clocks that have just become due, even with a backlog."""
_POLL_S: Final = 0.05
"""How often to look for clocks that another instance, or a change of business time, made due."""
_WATERMARK_EVERY: Final = timedelta(seconds=1)
_ALL: Final = Share()
_SHARES: Final = 4
_WORKERS: Final = 2
"""Concurrent sweeps during a backlog: one computes while PostgreSQL saves the other's changes."""
_LOCKED_S: Final = 0.01
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class SweepState:
    """State between sweeps: ``lag_ms``, each partition's longest delay since its last watermark."""

    lag_ms: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))


async def sweep(
    db: Database, swept: SweepState, share: Share = _ALL, *, limit: int = _BATCH_MAX
) -> int | None:
    """Announce what is due, and publish watermarks that are due.

    Returns the number of clocks claimed; None if other instances sweep all partitions of the share.
    """
    async with db.transaction() as tx:
        mine, now = await clock_store.claim_partitions(tx, share, watermark_every=_WATERMARK_EVERY)
        if now is None:
            return None
        due = await _claim(tx, [p.number for p in mine], limit)
        watermarks = {p.number: _watermark(p, now) for p in mine}
        changed: list[tuple[str, Clock]] = []
        announced: list[Announced] = []
        partitions: list[int] = []
        skipped = 0
        for partition, was_due_at, place, traceparent, clock in due:
            update = domain.announce_due(
                clock, now=now, watermark=watermarks[partition], traceparent=traceparent
            )
            changed.append((place, update.clock))
            announced += update.announced
            partitions += [partition] * len(update.announced)
            skipped += update.skipped
            lag = now - was_due_at
            LAG_S.observe(lag.total_seconds())
            swept.lag_ms[partition] = max(swept.lag_ms[partition], _ms(lag))
        await clock_store.mark(tx, changed)
        advanced = [p.number for p in mine if p.watermark_due]
        published = await _advance(tx, advanced, now, swept)
        partitions += [one.event.partition for one in published]
        await outbox.add(tx, [*announced, *published], partitions=partitions)
    SWEPT.inc(len(due))
    SKIPPED.inc(skipped)
    for partition in advanced:
        swept.lag_ms.pop(partition, None)
    return len(due)


def _watermark(partition: Partition, now: datetime) -> datetime | None:
    """Return the last watermark; None if it is in the future: business time was set back."""
    published = partition.evaluated_to
    return None if published is None or published > now else published


async def _claim(tx: Tx, partitions: Sequence[int], limit: int) -> list[Due]:
    """Claim the clocks that are due longest; if they reach the limit, also some newly due."""
    share = -(-limit // len(partitions))
    due = await clock_store.longest_due(tx, partitions, limit=share)
    if len(due) >= share:
        fresh = -(-_JUST_DUE_MAX // len(partitions))
        due += await clock_store.newest_due(tx, partitions, limit=fresh)
    return list({one.place: one for one in due}.values())


async def _advance(
    tx: Tx, partitions: Sequence[int], now: datetime, swept: SweepState
) -> list[Envelope[WatermarkAdvanced]]:
    """Advance watermarks to now, or to just before the first clock that is still due."""
    if not partitions:
        return []
    firsts = await clock_store.first_due(tx, partitions)
    evaluated_to = {
        number: now if first is None or first > now else first - _MICROSECOND
        for number, (first, _) in firsts.items()
    }
    await clock_store.save_watermarks(tx, evaluated_to)
    return list(_watermark_events(firsts, evaluated_to, swept))


def _watermark_events(
    firsts: dict[int, tuple[datetime | None, int]],
    evaluated_to: dict[int, datetime],
    swept: SweepState,
) -> Iterator[Envelope[WatermarkAdvanced]]:
    for number, at in evaluated_to.items():
        event = WatermarkAdvanced(
            partition=number,
            evaluated_to=at,
            open=firsts[number][1],
            lag_ms_max=swept.lag_ms[number],
        )
        cause = uuid5(NAMESPACE_OID, f"watermark/{number}/{at.astimezone(UTC).isoformat()}")
        yield Envelope.caused_by(cause, event, source=SOURCE, time=at)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


class Sweeper(Background):
    """Sweeps while clocks are due, else waits for the next due time or watermark, at most 50 ms."""

    def __init__(self, db: Database) -> None:
        super().__init__("sweep")
        self._db = db
        self._swept = SweepState()

    @override
    async def _run(self) -> None:
        watermark_s = _WATERMARK_EVERY.total_seconds()
        advanced_at = elapsed_s() - watermark_s
        async with self._db.session() as session:
            while not self._stop.is_set():
                wait_s = await clock_store.seconds_to_next(session)
                watermark_due = elapsed_s(advanced_at) >= watermark_s
                if not watermark_due and (wait_s is None or wait_s > 0):
                    await wait_at_most(self._stop.wait(), min(wait_s or _POLL_S, _POLL_S))
                    if wait_s is None or wait_s > _POLL_S:
                        continue
                advanced_at = elapsed_s() if watermark_due else advanced_at
                claimed = await sweep(self._db, self._swept)
                if claimed is None:
                    await wait_at_most(self._stop.wait(), _LOCKED_S)
                elif claimed >= _BATCH_MAX:
                    await asyncio.gather(*map(self._catch_up, range(_WORKERS)))

    async def _catch_up(self, worker: int) -> None:
        """Sweep one share after another, until no share has a backlog in a whole round."""
        more = True
        async with self._db.session() as session:
            while more and not self._stop.is_set():
                more = False
                for step in range(_SHARES):
                    share = Share((worker * _SHARES // _WORKERS + step) % _SHARES, _SHARES)
                    if not await outbox.wait_until_short(session, until=self._stop):
                        return
                    more |= (await sweep(self._db, self._swept, share) or 0) >= _BATCH_MAX
