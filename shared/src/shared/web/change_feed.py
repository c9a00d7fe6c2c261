"""The live stream of the pages: what changed, at once, and how old it is, every second.

One look at the database serves every open page of a process: it says whose page has changed since
the last, by what time nothing else had, and how fast business time runs. A page that hears
nothing knows that it is out of date.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, override

import structlog
from fastapi.sse import format_sse_event
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.platform.background import Background
from shared.platform.postgres import Database, Tx
from shared.web.pages import HEADERS

__all__ = ["ChangeFeed", "Changes", "FindChanges", "LivePage", "stream"]

_LOG = structlog.get_logger()
_LOOK_S: Final = 0.25
_BEAT_S: Final = 1.0
_STAY_S: Final = 5.0
_PAGES_MAX: Final = 1_000
_STAYS: Final = 2
"""A word that holds so many times as long as until it is said again may come late once."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look found: whose pages changed since ``since``, up to ``as_of`` (business time)."""

    as_of: datetime
    changed: frozenset[str]
    since: str
    """Where the next look begins."""
    real_at: datetime
    """When it was, by the clock that business time is a function of."""


type FindChanges = Callable[[Tx, str | None], Awaitable[Changes]]
"""Looks; None at first, then where the last look said that the next begins."""


@dataclass(slots=True, eq=False)
class _Ear:
    """An open page. ``about`` is whose; None is a page about everybody."""

    about: str | None
    changed: bool = True
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def hears(self) -> None:
        """Wait for the next beat, or a change."""
        await self.heard.wait()
        self.heard.clear()


class ChangeFeed(Background):
    """Looks several times a second, while anybody listens."""

    def __init__(self, db: Database, look: FindChanges) -> None:
        super().__init__("pulse")
        self._db = db
        self._look = look
        self._ears: set[_Ear] = set()
        self._since: str | None = None
        self._beat: Changes | None = None
        self._beat_at_s = 0.0
        self.as_of: datetime | None = None
        """Up to when nothing is unsaid."""
        self.rate = 1.0
        """How many seconds of business time pass in one."""

    def renews_within(self, lease: timedelta) -> bool:
        """Tell whether what an open page says, and says again, holds meanwhile.

        Where business time runs fast, a lease ends before anybody can have said it again.
        """
        return lease.total_seconds() >= _STAYS * _STAY_S * self.rate

    @property
    def is_stopping(self) -> bool:
        """The service is leaving: streams end, pages find another."""
        return self._stop.is_set()

    @property
    def is_full(self) -> bool:
        """As many pages are open as a process bears."""
        return len(self._ears) >= _PAGES_MAX

    @contextmanager
    def subscribed(self, about: str | None) -> Iterator[_Ear]:
        """Be told of changes while the block lasts."""
        ear = _Ear(about)
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._ears:
                    await self._once()
                else:
                    self._since = self._beat = self.as_of = None
            except Transient as e:
                _LOG.warning("pulse_waits", reason=str(e))
            await wait_at_most(self._stop.wait(), _LOOK_S)
        for ear in self._ears:
            ear.heard.set()

    async def _once(self) -> None:
        began = self._beat is None
        if self._beat is None:  # two looks: nobody is told anything before the rate is known
            self._beat = await self._looked()
        look = await self._looked()
        self.as_of = look.as_of
        beats = began or elapsed_s(self._beat_at_s) >= _BEAT_S
        if beats:
            self._measure(self._beat, look)
            self._beat, self._beat_at_s = look, elapsed_s()
        for ear in self._ears:
            ear.changed |= began or ear.about in look.changed or (beats and ear.about is None)
            if beats or ear.changed:
                ear.heard.set()

    async def _looked(self) -> Changes:
        async with self._db.transaction() as tx:
            look = await self._look(tx, self._since)
        self._since = look.since
        return look

    def _measure(self, before: Changes, after: Changes) -> None:
        """Measure how fast business time runs, whatever time the looks took."""
        passed = after.real_at - before.real_at
        if passed > timedelta():
            self.rate = max(0.0, (after.as_of - before.as_of) / passed)


@dataclass(frozen=True, slots=True)
class LivePage[View]:
    """An open page: ``about`` is whose, None is everybody's.

    ``read`` gives what is to be seen, without the time, and ``write`` its HTML. ``stay`` is asked
    every few seconds whether the page may stay open.
    """

    about: str | None
    read: Callable[[], Awaitable[View]]
    write: Callable[[View], str]
    stay: Callable[[], Awaitable[bool]]
    release: str


def stream[View](feed: ChangeFeed, shown: LivePage[View]) -> Response:
    """Send a page what changed on it as `view`, a `beat` every second, and `ended` at the end.

    A page too many is refused: it says that it is out of date, and tries again.
    """
    if feed.is_full:
        return Response(status_code=503, headers=HEADERS)
    events = _events(feed, shown)
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _events[View](feed: ChangeFeed, shown: LivePage[View]) -> AsyncIterator[bytes]:
    sent: View | None = None
    asked_at_s: float | None = None
    with feed.subscribed(shown.about) as ear:
        while not feed.is_stopping:
            await ear.hears()
            try:
                if asked_at_s is None or elapsed_s(asked_at_s) >= _STAY_S:
                    if not await shown.stay():
                        yield format_sse_event(event="ended", data_str="")
                        return
                    asked_at_s = elapsed_s()
                    ear.changed = True  # what no look tells of: the roster, somebody's presence
                if ear.changed:
                    ear.changed = False
                    view = await shown.read()
                    if view != sent:
                        yield format_sse_event(event="view", data_str=shown.write(view))
                        sent = view
            except Transient:
                ear.changed = True  # the page hears nothing meanwhile, and says so
                continue
            beat = {"as_of": feed.as_of, "rate": feed.rate, "release": shown.release}
            yield format_sse_event(event="beat", data_str=to_json(beat).decode())
