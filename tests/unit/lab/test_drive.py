"""The played specialists: each ticket that the router leaves with one of them is answered."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from lab.demo.drive import Drive
from shared.events import NAMESPACE, CustomerReplied, Envelope, Event, LaterFact, TicketResponded

MINUTE = timedelta(minutes=1)


@dataclass
class SentFacts:
    """Takes the place of the HTTP clients: keeps each later fact that was sent."""

    sent: list[LaterFact] = field(default_factory=list)
    is_sent: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, sending: object) -> None:
        """Ignore what the planned day sends."""

    async def tell(self, fact: LaterFact) -> None:
        """Keep a later fact."""
        self.sent.append(fact)
        self.is_sent.set()


@dataclass
class FixedTime:
    """Takes the place of the databases' time."""

    async def run_by(self, expression: str) -> None:
        """Accept every expression."""


async def a_drive(sent: SentFacts) -> tuple[Drive, UUID]:
    """Begin a day, without its agenda; return it with one of its e-mail tickets."""
    drive = Drive(
        run="test",
        seed=7,
        day_lasts=timedelta(minutes=3),
        for_ever=False,
        desks=frozenset(),
        zero=datetime.fromisoformat("2026-03-03T00:00:00+00:00"),
        doors=cast("Any", sent),
        time=cast("Any", FixedTime()),
    )
    await drive.begin()
    drive.agenda.clear()
    return drive, next(t for t, r in drive._requests.items() if r.channel == "email")


def caused(event: Event, at: datetime) -> Envelope[Event]:
    """Make the envelope of an event of the ticket."""
    return Envelope.caused_by(uuid5(NAMESPACE, f"{at}"), event, source="test", time=at)


async def test_a_reply_that_overtakes_an_earlier_answer_is_answered() -> None:
    """The router keeps the ticket with its specialist, so no second assignment asks for it."""
    sent = SentFacts()
    drive, ticket = await a_drive(sent)
    answered_at = drive.midnight
    replied_at = answered_at + MINUTE
    drive.hear(caused(CustomerReplied(ticket_id=ticket), replied_at))
    answer = caused(TicketResponded(ticket_id=ticket), answered_at)
    for copy in (answer, answer):
        drive.hear(copy)
    drive.agenda.seconds_to = lambda _: 0
    working = asyncio.create_task(drive.agenda.run())
    await sent.is_sent.wait()
    assert drive.agenda.is_done()
    working.cancel()
    (again,) = sent.sent
    assert (again.type, again.ticket_id) == ("responded", ticket)
    assert again.occurred_at > replied_at


async def test_a_reply_after_an_answer_waits_for_its_assignment() -> None:
    """The router assigns the ticket again, and then it is answered."""
    drive, ticket = await a_drive(SentFacts())
    drive.hear(caused(TicketResponded(ticket_id=ticket), drive.midnight))
    drive.hear(caused(CustomerReplied(ticket_id=ticket), drive.midnight + MINUTE))
    assert drive.agenda.is_done()
