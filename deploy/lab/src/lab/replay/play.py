"""Drives the running stack with a log: business time, the documents when due, and rest between.

At speed 0 time goes in steps and stands still while the services work, and it never overtakes the
create date of what is yet to be told. So nothing falls due while documents are on their way, and
what is published is a function of the log alone, whatever is killed and restarted meanwhile.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, batched
from operator import attrgetter
from typing import Final

from devstack.business_time import BusinessTime
from lab.proof.patience import patiently
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Tables
from lab.replay.pick_up import Specialists
from lab.replay.rows import Told
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import INBOUND_TOPIC
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Player", "Stuck", "moments"]

_SLICE: Final = 2000
_BATCH: Final = 500
_LOOK_S: Final = 0.005
_LOOK_S_MAX: Final = 0.05
_UNMOVED_MAX: Final = 3600
"""Looks that find the same, one every _LOOK_S_MAX: three minutes."""


class Stuck(Exception):  # noqa: N818 - says what state the pipeline is in
    """The pipeline does not come to rest; the text is one line."""


class Player:
    """Plays documents to a stack; ``advance`` is told how many more were handled or sent."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        tables: Tables,
        pipeline: Pipeline,
        specialists: Specialists,
        advance: Callable[[int], None],
    ) -> None:
        self._publisher = publisher
        self._tables = tables
        self._pipeline = pipeline
        self._specialists = specialists
        self._advance = advance
        self._time = BusinessTime(tables.databases)

    async def play(self, told: Sequence[Told], *, speed: float) -> None:
        """Play all, then let time pass until nothing is due; real time is back in any case."""
        try:
            if speed:
                await self._play_at(told, speed)
            else:
                await self._play_stepwise(told)
            await self._settle()
        finally:
            await asyncio.shield(patiently(self._time.restore))

    async def _play_stepwise(self, told: Sequence[Told]) -> None:
        pieces = list(batched(told, _SLICE))
        for piece, moment in zip(pieces, moments(pieces), strict=True):
            await self._stand_at(moment)
            await self._rest()
            await self._publish(piece)
            await self._rest()
            self._advance(len(piece))

    async def _play_at(self, told: Sequence[Told], speed: float) -> None:
        begins = told[0].at
        since = await patiently(self._time.real_now)
        started = elapsed_s()
        await patiently(lambda: self._time.run_from(begins, since=since, speed=speed))
        sent = 0
        while sent < len(told):
            now = begins + timedelta(seconds=elapsed_s(started) * speed)
            due = bisect_right(told, now, lo=sent, key=attrgetter("at"))
            await self._publish(told[sent:due])
            self._advance(due - sent)
            sent = due
            await _pause(_LOOK_S_MAX)
        await self._rest()

    async def _settle(self) -> None:
        """Let time pass until every clock that waits for it has had its say."""
        while (moment := await patiently(self._tables.last_due_at)) is not None:
            await self._stand_at(moment)
            await self._rest()

    async def _publish(self, told: Iterable[Told]) -> None:
        """Send, waiting for a broker that is away: intake knows what it gets twice."""
        for batch in batched(told, _BATCH):
            await patiently(partial(self._publisher.publish, [_record(one) for one in batch]))

    async def _stand_at(self, moment: datetime) -> None:
        await patiently(lambda: self._time.stand_at(moment))

    async def _rest(self) -> None:
        """Wait until nothing is left to do, for specialists neither. Raises Stuck."""
        await self._quiet()
        while await self._specialists.pick_up():
            await self._quiet()

    async def _quiet(self) -> None:
        """Wait until the services have nothing left to do.

        Raises Stuck when nothing has moved for minutes: looks are counted, not time, for a machine
        that was suspended is not stuck.
        """
        reason, unmoved, wait_s = "", 0, _LOOK_S
        while (unrest := await self._unrest()) is not None:
            if unrest != reason:
                reason, unmoved, wait_s = unrest, 0, _LOOK_S
            unmoved += 1
            if unmoved > _UNMOVED_MAX:
                raise Stuck(f"nothing moves any more: {reason}; see `premium status`")
            await _pause(wait_s)
            wait_s = min(wait_s * 1.5, _LOOK_S_MAX)

    async def _unrest(self) -> str | None:
        try:
            return await self._pipeline.unrest()
        except Transient as e:
            return str(e)


async def _pause(wait_s: float) -> None:
    """Let the servers work: none of them signals that it has nothing left to do."""
    await wait_at_most(asyncio.Event().wait(), wait_s)


def moments(pieces: Sequence[Sequence[Told]]) -> list[datetime]:
    """Find for each piece the earliest instant that it or a later one speaks of."""
    firsts = [min(one.document.occurred_at for one in piece) for piece in reversed(pieces)]
    return list(accumulate(firsts, min))[::-1]


def _record(one: Told) -> Outgoing:
    document = one.document
    return Outgoing(
        INBOUND_TOPIC,
        document.external_id.encode(),
        document.model_dump_json(exclude_none=True).encode(),
        [("content-type", b"application/json")],
    )
