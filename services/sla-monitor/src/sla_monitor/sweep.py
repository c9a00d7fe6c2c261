"""The sweep: what time alone brings. PostgreSQL's clock decides, read once a sweep.

A sweep is one transaction over the partitions that nobody else is sweeping. It announces what is
due, and once a second says of each partition how far everything has been judged.
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
"""Room in each sweep for what has just fallen due, however much has been due for longer."""
_LOOK_S: Final = 0.05
"""How often to look for what another instance, or a change of business time, made due."""
_WORD_EVERY: Final = timedelta(seconds=1)
_ALL: Final = Share()
_SHARES: Final = 4
_WORKERS: Final = 2
"""So many sweep at once while there is a backlog: one decides while PostgreSQL saves another's."""
_TAKEN_S: Final = 0.01
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Swept:
    """What sweeps have to tell: ``lag_ms``, the longest wait of each partition since its word."""

    lag_ms: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))


async def sweep(
    db: Database, swept: Swept, share: Share = _ALL, *, limit: int = _BATCH_MAX
) -> int | None:
    """Announce what is due, and how far partitions have been judged.

    The number of clocks claimed comes back; None when others are sweeping all of the share.
    """
    async with db.transaction() as tx:
        mine, now = await clock_store.own(tx, share, told_every=_WORD_EVERY)
        if now is None:
            return None
        due = await _claim(tx, [p.number for p in mine], limit)
        judged_to = {p.number: _watermark(p, now) for p in mine}
        changed: list[tuple[str, Clock]] = []
        announced: list[Announced] = []
        places: list[int] = []
        skipped = 0
        for partition, was_due_at, place, traceparent, clock in due:
            outcome = domain.fall_due(
                clock, now=now, watermark=judged_to[partition], traceparent=traceparent
            )
            changed.append((place, outcome.clock))
            announced += outcome.announced
            places += [partition] * len(outcome.announced)
            skipped += outcome.skipped
            lag = now - was_due_at
            LAG_S.observe(lag.total_seconds())
            swept.lag_ms[partition] = max(swept.lag_ms[partition], _ms(lag))
        await clock_store.mark(tx, changed)
        owing = [p.number for p in mine if p.owes_word]
        words = await _tell(tx, owing, now, swept)
        places += [word.event.partition for word in words]
        await outbox.add(tx, [*announced, *words], partitions=places)
    SWEPT.inc(len(due))
    SKIPPED.inc(skipped)
    for partition in owing:
        swept.lag_ms.pop(partition, None)
    return len(due)


def _watermark(partition: Partition, now: datetime) -> datetime | None:
    """Forget what was said of a later time than it is: business time was set back."""
    said = partition.evaluated_to
    return None if said is None or said > now else said


async def _claim(tx: Tx, partitions: Sequence[int], limit: int) -> list[Due]:
    """Take the longest due; if that is not all, what has just fallen due as well."""
    share = -(-limit // len(partitions))
    due = await clock_store.due_first(tx, partitions, limit=share)
    if len(due) >= share:
        fresh = -(-_JUST_DUE_MAX // len(partitions))
        due += await clock_store.due_last(tx, partitions, limit=fresh)
    return list({one.place: one for one in due}.values())


async def _tell(
    tx: Tx, partitions: Sequence[int], now: datetime, swept: Swept
) -> list[Envelope[WatermarkAdvanced]]:
    """Say how far partitions have been judged: to now, or to just before what is left."""
    if not partitions:
        return []
    firsts = await clock_store.firsts(tx, partitions)
    evaluated_to = {
        number: now if first is None or first > now else first - _MICROSECOND
        for number, (first, _) in firsts.items()
    }
    await clock_store.tell(tx, evaluated_to)
    return list(_words(firsts, evaluated_to, swept))


def _words(
    firsts: dict[int, tuple[datetime | None, int]],
    evaluated_to: dict[int, datetime],
    swept: Swept,
) -> Iterator[Envelope[WatermarkAdvanced]]:
    for number, at in evaluated_to.items():
        word = WatermarkAdvanced(
            partition=number,
            evaluated_to=at,
            open=firsts[number][1],
            lag_ms_max=swept.lag_ms[number],
        )
        cause = uuid5(NAMESPACE_OID, f"watermark/{number}/{at.astimezone(UTC).isoformat()}")
        yield Envelope.caused_by(cause, word, source=SOURCE, time=at)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


class Sweeper(Background):
    """Sweeps as long as something is due, else sleeps until the next due time, or word."""

    def __init__(self, db: Database) -> None:
        super().__init__("sweep")
        self._db = db
        self._swept = Swept()

    @override
    async def _run(self) -> None:
        word_s = _WORD_EVERY.total_seconds()
        told_at = elapsed_s() - word_s
        async with self._db.session() as session:
            while not self._stop.is_set():
                wait_s = await clock_store.seconds_to_next(session)
                owes_word = elapsed_s(told_at) >= word_s
                if not owes_word and (wait_s is None or wait_s > 0):
                    await wait_at_most(self._stop.wait(), min(wait_s or _LOOK_S, _LOOK_S))
                    if wait_s is None or wait_s > _LOOK_S:
                        continue
                told_at = elapsed_s() if owes_word else told_at
                claimed = await sweep(self._db, self._swept)
                if claimed is None:
                    await wait_at_most(self._stop.wait(), _TAKEN_S)
                elif claimed >= _BATCH_MAX:
                    await asyncio.gather(*map(self._catch_up, range(_WORKERS)))

    async def _catch_up(self, worker: int) -> None:
        """Sweep one share after another, until in a whole round none is left with a backlog."""
        more = True
        async with self._db.session() as session:
            while more and not self._stop.is_set():
                more = False
                for step in range(_SHARES):
                    share = Share((worker * _SHARES // _WORKERS + step) % _SHARES, _SHARES)
                    if not await outbox.wait_until_short(session, until=self._stop):
                        return
                    more |= (await sweep(self._db, self._swept, share) or 0) >= _BATCH_MAX
