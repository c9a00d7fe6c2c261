"""Answered tickets stay in the specialist's view until the customer replies or they are closed."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from router.domain.matching import default_rules
from router.pages.details import Details, LaterMessage
from router.pages.views import read_specialist_view, read_ticket_view
from router.service.routing import RoutingService
from shared.events import (
    ClockPaused,
    CustomerReplied,
    Envelope,
    Event,
    TicketClosed,
    TicketResponded,
    ticket_id_of,
)
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_clock, a_fact, a_specialist, a_ticket
from shared.testing.databases import MakeDatabase
from shared.web.pages import Pages

TOMORROW = NOON + timedelta(days=1)
T1 = ticket_id_of("test", "T1")


class Router(Database):
    """A router's connections and cache."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, service="router")
        self.routing = RoutingService(default_rules())

    async def apply(self, *envelopes: Envelope[Event]) -> None:
        """Apply events, each in a transaction of its own."""
        for envelope in envelopes:
            async with self.transaction() as tx:
                await self.routing.apply_events(tx, [envelope], envelope.time)

    async def lists(self, name: str, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
        """Return the tickets that a specialist has, and those that wait for the customer."""
        async with self.transaction() as tx:
            view = await read_specialist_view(tx, name, now)
        return [row.account for row in view.mine], [row.account for row in view.waiting]


@pytest.fixture
async def router(database: MakeDatabase) -> AsyncIterator[Router]:
    """Run a router in which ana has answered a customer."""
    made = Router((await database("router")).dsn)
    await made.start()
    await made.apply(
        a_specialist("ana", capacity={"email": 2}),
        a_ticket("T1", account_id="acme"),
        a_fact(TicketResponded, "T1", after_min=10),
    )
    yield made
    await made.stop()


async def test_an_answered_ticket_stays_in_view_over_night(router: Router) -> None:
    """It no longer counts in the load."""
    assert await router.lists("ana", TOMORROW) == ([], ["acme"])


async def test_a_reply_shows_it_as_open_again(router: Router) -> None:
    """It is listed among the open tickets, and marked as a reply."""
    await router.apply(a_fact(CustomerReplied, "T1", after_min=20))
    assert await router.lists("ana", TOMORROW) == (["acme"], [])
    async with router.transaction() as tx:
        pane = await read_ticket_view(tx, router.routing, T1, "ana", NOON)
    assert (pane.row.state, pane.row.replied, pane.row.due_at) == ("", True, None)
    assert pane.because == "Ana answered it before."
    assert [line.text for line in pane.lines][-2:] == [
        "The customer wrote again",
        "Assigned to Ana after 0 s",
    ]


async def test_a_closed_ticket_leaves_the_view(router: Router) -> None:
    """No reply is expected."""
    await router.apply(a_fact(TicketClosed, "T1", after_min=20))
    assert await router.lists("ana", TOMORROW) == ([], [])


async def test_a_paused_ticket_is_shown_last(router: Router) -> None:
    """After those with a due time, and marked as paused."""
    await router.apply(
        a_ticket("T2", account_id="waits"),
        a_ticket("T3", account_id="runs", after_min=30),
        a_clock(ClockPaused, "T2", after_min=40),
    )
    async with router.transaction() as tx:
        rows = (await read_specialist_view(tx, "ana", NOON)).mine
    assert [(row.account, row.paused) for row in rows] == [("runs", False), ("waits", True)]


def test_the_customers_later_messages_are_shown() -> None:
    """In order, with their times and the tickets that they belong to."""
    words = (
        LaterMessage(occurred_at=NOON, body="Still broken"),
        LaterMessage(occurred_at=NOON + timedelta(hours=1), body="Any news?", written_on=T1),
    )
    details = Details(requester_id="ada", subject="Export fails", body="It stops.", words=words)
    page = Pages("router", "router.pages").render(
        "details.html", details=details, ticket_id=T1, now=TOMORROW, zone="UTC"
    )
    assert page.index("It stops.") < page.index("Still broken") < page.index("Any news?")
    assert page.count("on a ticket that was merged into this one") == 1
