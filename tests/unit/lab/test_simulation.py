"""The simulated specialists answer each ticket that router leaves with them."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from lab.demo.simulation import Simulation
from shared.events import NAMESPACE, CustomerReplied, Envelope, Event, LaterFact, TicketResponded

MINUTE = timedelta(minutes=1)


@dataclass
class SentFacts:
    """Takes the place of the HTTP clients: keeps each later fact that was sent."""

    sent: list[LaterFact] = field(default_factory=list)
    is_sent: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: object) -> None:
        """Ignore what the planned day sends."""

    async def send_fact(self, fact: LaterFact) -> None:
        """Keep a later fact."""
        self.sent.append(fact)
        self.is_sent.set()


@dataclass
class FixedTime:
    """Takes the place of the databases' time."""

    async def set_expression(self, expression: str) -> None:
        """Accept every expression."""


async def a_drive(sent: SentFacts) -> tuple[Simulation, UUID]:
    """Begin a day, without its schedule; return it with one of its e-mail tickets."""
    simulation = Simulation(
        run="test",
        seed=7,
        day_lasts=timedelta(minutes=3),
        endless=False,
        desks=frozenset(),
        zero=datetime.fromisoformat("2026-03-03T00:00:00+00:00"),
        clients=cast("Any", sent),
        time=cast("Any", FixedTime()),
    )
    await simulation.begin()
    simulation.schedule.clear()
    return simulation, next(t for t, r in simulation._requests.items() if r.channel == "email")


def caused(event: Event, at: datetime) -> Envelope[Event]:
    """Make the envelope of an event of the ticket."""
    return Envelope.caused_by(uuid5(NAMESPACE, f"{at}"), event, source="test", time=at)


async def test_a_reply_that_overtakes_an_earlier_answer_is_answered() -> None:
    """The router keeps the ticket with its specialist, so no second assignment asks for it."""
    sent = SentFacts()
    simulation, ticket = await a_drive(sent)
    answered_at = simulation.midnight
    replied_at = answered_at + MINUTE
    simulation.on_event(caused(CustomerReplied(ticket_id=ticket), replied_at))
    answer = caused(TicketResponded(ticket_id=ticket), answered_at)
    for copy in (answer, answer):
        simulation.on_event(copy)
    simulation.schedule.seconds_to = lambda _: 0
    working = asyncio.create_task(simulation.schedule.run())
    await sent.is_sent.wait()
    assert simulation.schedule.is_done()
    working.cancel()
    (again,) = sent.sent
    assert (again.type, again.ticket_id) == ("responded", ticket)
    assert again.occurred_at > replied_at


async def test_a_reply_after_an_answer_waits_for_its_assignment() -> None:
    """The router assigns the ticket again, and then it is answered."""
    simulation, ticket = await a_drive(SentFacts())
    simulation.on_event(caused(TicketResponded(ticket_id=ticket), simulation.midnight))
    simulation.on_event(caused(CustomerReplied(ticket_id=ticket), simulation.midnight + MINUTE))
    assert simulation.schedule.is_done()
