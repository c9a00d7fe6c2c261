"""Replays a log on a running stack: sets business time, and sends the documents.

At speed 0, time advances in steps, stands still while the services work, and never passes the
create date of a document that is not sent yet. So nothing falls due while documents are in flight,
and the published facts depend on the log alone, whatever is killed and restarted meanwhile.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, batched
from operator import attrgetter
from typing import Final
from uuid import UUID

from devstack.business_time import BusinessTime
from lab.proof.pipeline import Pipeline
from lab.proof.retry import with_retry
from lab.proof.tables import Tables
from lab.replay.rows import LogDocument
from lab.replay.specialists import Specialists
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import INBOUND_TOPIC
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["ReplayRunner", "Stuck", "step_times"]

_SLICE: Final = 2000
_BATCH: Final = 500
_POLL_S: Final = 0.005
_POLL_S_MAX: Final = 0.05
_UNCHANGED_S_MAX: Final = 180
_POLL_COUNTS_S_MAX: Final = 5.0
"""A longer poll counts as this: a suspended machine is not stuck."""
_ACCEPT_TRIES: Final = 3


class Stuck(Exception):  # noqa: N818 - the name states the condition
    """The services do not become idle; the text is one line."""


class ReplayRunner:
    """Sends documents to a stack; ``advance`` is called with each number of documents sent."""

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

    async def run(self, documents: Sequence[LogDocument], *, speed: float) -> None:
        """Send all, then advance time until no clock is open; restore real time in any case."""
        try:
            if speed:
                await self._run_at_speed(documents, speed)
            else:
                await self._run_stepwise(documents)
            await self._run_out()
        finally:
            await asyncio.shield(with_retry(self._time.restore))

    async def _run_stepwise(self, documents: Sequence[LogDocument]) -> None:
        pieces = list(batched(documents, _SLICE))
        for piece, moment in zip(pieces, step_times(pieces), strict=True):
            await self._stop_time_at(moment)
            await self._until_idle()
            await self._publish(piece)
            await self._until_idle()
            self._advance(len(piece))

    async def _run_at_speed(self, documents: Sequence[LogDocument], speed: float) -> None:
        begins = documents[0].at
        since = await with_retry(self._time.real_now)
        started = elapsed_s()
        await with_retry(lambda: self._time.run_from(begins, since=since, speed=speed))
        sent = 0
        while sent < len(documents):
            now = begins + timedelta(seconds=elapsed_s(started) * speed)
            due = bisect_right(documents, now, lo=sent, key=attrgetter("at"))
            await self._publish(documents[sent:due])
            self._advance(due - sent)
            sent = due
            await _pause(_POLL_S_MAX)
        await self._until_idle()

    async def _run_out(self) -> None:
        """Advance time to the last open clock's due time, and again, until no clock is open."""
        while (moment := await with_retry(self._tables.last_due_at)) is not None:
            await self._stop_time_at(moment)
            await self._until_idle()

    async def _publish(self, documents: Iterable[LogDocument]) -> None:
        """Send with retries while Kafka is unreachable; intake ignores duplicates."""
        for batch in batched(documents, _BATCH):
            await with_retry(partial(self._publisher.publish, [_record(one) for one in batch]))

    async def _stop_time_at(self, moment: datetime) -> None:
        await with_retry(lambda: self._time.stop_at(moment))

    async def _until_idle(self) -> None:
        """Wait until the services are idle and no offer is open.

        Raises:
            Stuck: the services do not become idle, or an offer stays open after its acceptance.
        """
        tries: Counter[UUID] = Counter()
        await self._until_services_idle()
        while accepted := await self._specialists.accept_all():
            await self._until_services_idle()
            tries.update(accepted)
            if stays := [offer for offer in accepted if tries[offer] > _ACCEPT_TRIES]:
                raise Stuck(f"offer {stays[0]} stays open after its acceptance; see router's log")

    async def _until_services_idle(self) -> None:
        """Wait until the services have no work left.

        Raises Stuck if for three minutes no reason is new. A changed reason is not enough: because
        sla-monitor always publishes watermarks, two known reasons may alternate without end.
        """
        reasons: set[str] = set()
        unchanged_s, wait_s = 0.0, _POLL_S
        polled_at = elapsed_s()
        while (reason := await self._unrest()) is not None:
            if reason not in reasons:
                reasons.add(reason)
                unchanged_s, wait_s = 0.0, _POLL_S
            unchanged_s += min(elapsed_s(polled_at), _POLL_COUNTS_S_MAX)
            polled_at = elapsed_s()
            if unchanged_s > _UNCHANGED_S_MAX:
                raise Stuck(f"nothing changes any more: {reason}; see `premium status`")
            await _pause(wait_s)
            wait_s = min(wait_s * 1.5, _POLL_S_MAX)

    async def _unrest(self) -> str | None:
        try:
            return await self._pipeline.unrest()
        except Transient as e:
            return str(e)


async def _pause(wait_s: float) -> None:
    """Wait before the next poll: the services do not signal that they are idle."""
    await wait_at_most(asyncio.Event().wait(), wait_s)


def step_times(pieces: Sequence[Sequence[LogDocument]]) -> list[datetime]:
    """Return for each slice the earliest event time in it and all later slices."""
    firsts = [min(one.document.occurred_at for one in piece) for piece in reversed(pieces)]
    return list(accumulate(firsts, min))[::-1]


def _record(one: LogDocument) -> Outgoing:
    document = one.document
    return Outgoing(
        INBOUND_TOPIC,
        document.external_id.encode(),
        document.model_dump_json(exclude_none=True).encode(),
        [("content-type", b"application/json")],
    )
