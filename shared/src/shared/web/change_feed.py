"""The live stream of the pages: changes at once, and the age of the data every second.

One database query serves all open pages of a process. It returns whose pages have changed since the
last query, up to which business time that is complete, and how fast business time runs. A page that
receives no event for some seconds shows that it is out of date.
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
_POLL_S: Final = 0.25
_HEARTBEAT_S: Final = 1.0
_RENEW_S: Final = 5.0
_PAGES_MAX: Final = 1_000
_RENEWALS: Final = 2
"""A lease of at least this many renewal intervals survives one late renewal."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The people whose pages changed since the last query, up to ``as_of`` (business time)."""

    as_of: datetime
    changed: frozenset[str]
    since: str
    """The position from which the next query starts."""
    real_at: datetime
    """The real time of the query; business time is a function of it."""


type FindChanges = Callable[[Tx, str | None], Awaitable[Changes]]
"""Queries changes; the argument is None at first, then ``since`` of the last result."""


@dataclass(slots=True, eq=False)
class _Subscription:
    """An open page. ``about`` is the person it shows; None for a page about the whole team."""

    about: str | None
    changed: bool = True
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Wait for the next heartbeat or change."""
        await self.woken.wait()
        self.woken.clear()


class ChangeFeed(Background):
    """Polls for changes while a page is open."""

    def __init__(self, db: Database, find_changes: FindChanges) -> None:
        super().__init__("change feed")
        self._db = db
        self._find_changes = find_changes
        self._subscriptions: set[_Subscription] = set()
        self._since: str | None = None
        self._heartbeat: Changes | None = None
        self._heartbeat_at_s = 0.0
        self.as_of: datetime | None = None
        """The business time up to which all changes are known."""
        self.rate = 1.0
        """Seconds of business time per real second."""

    def renews_within(self, lease: timedelta) -> bool:
        """Return whether an open page renews a lease of this length before it ends.

        When business time runs fast, as in a demo, a lease can end before the next renewal.
        """
        return lease.total_seconds() >= _RENEWALS * _RENEW_S * self.rate

    @property
    def is_stopping(self) -> bool:
        """Whether the service is stopping: streams end, and pages reconnect elsewhere."""
        return self._stop.is_set()

    @property
    def is_full(self) -> bool:
        """Whether the process has as many open pages as it allows."""
        return len(self._subscriptions) >= _PAGES_MAX

    @contextmanager
    def subscribed(self, about: str | None) -> Iterator[_Subscription]:
        """Subscribe a page to changes while the block runs."""
        subscription = _Subscription(about)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._subscriptions:
                    await self._poll()
                else:
                    self._since = self._heartbeat = self.as_of = None
            except Transient as e:
                _LOG.warning("change_feed_waits", reason=str(e))
            await wait_at_most(self._stop.wait(), _POLL_S)
        for subscription in self._subscriptions:
            subscription.woken.set()

    async def _poll(self) -> None:
        began = self._heartbeat is None
        if self._heartbeat is None:  # the first event needs a rate, measured between two queries
            self._heartbeat = await self._query()
        changes = await self._query()
        self.as_of = changes.as_of
        beats = began or elapsed_s(self._heartbeat_at_s) >= _HEARTBEAT_S
        if beats:
            self._measure(self._heartbeat, changes)
            self._heartbeat, self._heartbeat_at_s = changes, elapsed_s()
        for one in self._subscriptions:
            one.changed |= began or one.about in changes.changed or (beats and one.about is None)
            if beats or one.changed:
                one.woken.set()

    async def _query(self) -> Changes:
        async with self._db.transaction() as tx:
            changes = await self._find_changes(tx, self._since)
        self._since = changes.since
        return changes

    def _measure(self, before: Changes, after: Changes) -> None:
        """Measure the rate of business time from the times that the database returned."""
        passed = after.real_at - before.real_at
        if passed > timedelta():
            self.rate = max(0.0, (after.as_of - before.as_of) / passed)


@dataclass(frozen=True, slots=True)
class LivePage[View]:
    """An open page: ``about`` is the person it shows, None for the whole team.

    ``read`` returns the content, without the time, and ``write`` renders its HTML. ``stay`` is
    called every few seconds and returns whether the page may stay open. ``release`` identifies the
    page's files.
    """

    about: str | None
    read: Callable[[], Awaitable[View]]
    write: Callable[[View], str]
    stay: Callable[[], Awaitable[bool]]
    release: str


def stream[View](feed: ChangeFeed, page: LivePage[View]) -> Response:
    """Stream server-sent events to a page: `view` on changes, `beat` every second, `ended` last.

    Beyond the maximum of open pages the response is 503: the page shows that it is out of date and
    reconnects later.
    """
    if feed.is_full:
        return Response(status_code=503, headers=HEADERS)
    events = _events(feed, page)
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _events[View](feed: ChangeFeed, page: LivePage[View]) -> AsyncIterator[bytes]:
    sent: View | None = None
    renewed_at_s: float | None = None
    with feed.subscribed(page.about) as subscription:
        while not feed.is_stopping:
            await subscription.wait()
            try:
                if renewed_at_s is None or elapsed_s(renewed_at_s) >= _RENEW_S:
                    if not await page.stay():
                        yield format_sse_event(event="ended", data_str="")
                        return
                    renewed_at_s = elapsed_s()
                    subscription.changed = True  # changes of roster and presence are not queried
                if subscription.changed:
                    subscription.changed = False
                    view = await page.read()
                    if view != sent:
                        yield format_sse_event(event="view", data_str=page.write(view))
                        sent = view
            except Transient:
                # The view is read again later; without an event the page shows it is out of date.
                subscription.changed = True
                continue
            beat = {"as_of": feed.as_of, "rate": feed.rate, "release": page.release}
            yield format_sse_event(event="beat", data_str=to_json(beat).decode())
