"""Any history of a router: commands, double clicks, leases, presence, shifts, in any order."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.router.assignments import InMemoryRouter, Step, ticket_id

from router.domain.commands import (
    Accept,
    Command,
    Confirm,
    Conflict,
    Decline,
    DeclineOffer,
    EndAway,
    HandBack,
    Move,
    Pin,
    PresenceReport,
    Reclassify,
    Respond,
    SetAway,
    Unknown,
)
from router.domain.roster import Roster
from router.domain.specialist import CHANNELS, Specialist
from router.domain.ticket import Ticket
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    CustomerReached,
    Envelope,
    OfferFact,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketOffered,
    TicketReopened,
    TicketResponded,
)
from shared.testing.builders import NOON, a_specialist, a_ticket, gone, told

PEOPLE: Final = ("ann", "ben", "cy")
TICKETS: Final = tuple(f"T{number}" for number in range(8))
FACTS: Final = (TicketResponded, CustomerReached, TicketClosed, TicketReopened)
SHIFTS: Final = {"zone": "UTC", "hours": {"mon-fri": ["12:00-12:10", "12:20-12:40"]}}

people = st.sampled_from(PEOPLE)
tickets = st.sampled_from(TICKETS)


def takers(roster: Roster, ticket: Ticket) -> list[Specialist]:
    """Walk through everybody who could take a ticket; of a pinned one it is one person."""
    assert ticket.pool is not None
    pool = ticket.pool
    people = roster.specialists.values()
    qualified = [one for one in people if roster.qualifies(one.specialist_id, pool)]
    only = [one for one in qualified if one.specialist_id == ticket.pinned_to]
    aside = {*ticket.excluded_until}
    if ticket.rings_at is not None:
        able = [one for one in only or qualified if one.can_take(pool.channel)]
        return [one for one in able if one.specialist_id not in aside]
    if {one.specialist_id for one in qualified if one.available} <= aside:
        aside = {*ticket.declined_by}
    if only or {one.specialist_id for one in qualified} <= aside:
        aside = set()
    able = [one for one in only or qualified if one.can_take(pool.channel)]
    return [one for one in able if one.specialist_id not in aside]


class Histories(RuleBasedStateMachine):
    """Plays a history on one router; a command that is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.router = InMemoryRouter()
        self.loads: Counter[tuple[str, str]] = Counter()
        self.done: list[Step] = []

    @property
    def minute(self) -> float:
        """Say how long it is after noon."""
        return (self.router.now - NOON) / timedelta(minutes=1)

    @initialize()
    def open(self) -> None:
        """Let two be there from the beginning."""
        self.play(a_specialist("ann"), a_specialist("ben"))

    def play(self, *steps: Step) -> None:
        """Take steps; the loads of before are those that may not be exceeded."""
        for step in steps:
            people = self.router.people.values()
            self.loads = Counter(
                {(p.specialist_id, c): n for p in people for c, n in p.load.items()}
            )
            with suppress(Conflict, Unknown):
                self.router.play(step)
            self.done.append(step)

    @rule(
        who=people,
        room=st.integers(0, 2),
        presence=st.sampled_from(["online", "online", "away", "offline"]),
        extras=st.sampled_from([{}, {"shifts": SHIFTS}, {"universal": {"capacity": 2}}]),
    )
    def list_somebody(self, who: str, room: int, presence: str, extras: dict[str, object]) -> None:
        """Change what the roster says."""
        capacity = dict.fromkeys(CHANNELS, room)
        more = {"capacity": capacity, "presence": presence, **extras}
        self.play(a_specialist(who, after_min=self.minute, **more))  # type: ignore[arg-type]

    @rule(who=people)
    def remove(self, who: str) -> None:
        """Let somebody leave the roster."""
        self.play(gone(who, after_min=self.minute))

    @rule(name=tickets, channel=st.sampled_from(CHANNELS))
    def ask(self, name: str, channel: str) -> None:
        """Let a request come in."""
        self.play(a_ticket(name, channel=channel, after_min=self.minute))  # type: ignore[arg-type]

    @rule(name=tickets, fact=st.sampled_from(FACTS))
    def tell(self, name: str, fact: type) -> None:
        """Let upstream tell something."""
        self.play(told(fact, name, after_min=self.minute))

    @rule(who=people, presence=st.sampled_from(["online", "away", "offline"]), back=st.booleans())
    def say(self, who: str, presence: str, back: bool) -> None:
        """Let somebody come or go."""
        self.play(PresenceReport(who, presence, hand_back=back))  # type: ignore[arg-type]

    @rule(who=people, back=st.booleans())
    def go(self, who: str, back: bool) -> None:
        """Let somebody go away until they come back, or come back."""
        self.play(EndAway(who) if back else SetAway(who))

    @rule(seconds=st.sampled_from([1, 4, 10, 30, 120, 600, 1200]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.router.later(seconds=seconds)
        people = self.router.people.values()
        self.loads = Counter({(p.specialist_id, c): n for p in people for c, n in p.load.items()})
        self.router.wake()

    @rule(name=tickets, accepts=st.booleans())
    def answer_the_ring(self, name: str, accepts: bool) -> None:
        """Let who is rung decide."""
        ticket = self.router.tickets.get(ticket_id(name))
        if ticket is not None and ticket.offer is not None:
            offer_id, who = ticket.offer.offer_id, ticket.offer.specialist_id
            act: Command = DeclineOffer(offer_id, who, "busy")
            self.play(Accept(offer_id, who) if accepts else act)

    @rule(name=tickets, who=people, to=people, which=st.integers(0, 6))
    def act(self, name: str, who: str, to: str, which: int) -> None:
        """Let anybody try anything with a ticket."""
        one = ticket_id(name)
        acts: tuple[Command, ...] = (
            Decline(one, who, "busy"),
            HandBack(one, who, "lea", "busy"),
            Respond(one, who),
            Confirm(one, who),
            Reclassify(one, who, "business_critical"),
            Move(one, to, "lea", "knows them"),
            Pin(one, to if who != to else None, "lea", "knows them"),
        )
        self.play(acts[which])

    @rule(which=st.integers(0, 1000))
    def click_twice(self, which: int) -> None:
        """Do something again that was done before."""
        if self.done:
            step = self.done[which % len(self.done)]
            if not isinstance(step, Envelope):
                self.play(step)

    @invariant()
    def no_capacity_is_exceeded(self) -> None:
        """No load rises above what somebody can take; and it is what they have and are offered."""
        held = Counter(
            (ticket.current_specialist_id, ticket.terms.channel)
            for ticket in self.router.tickets.values()
            if ticket.current_specialist_id
        )
        for person in self.router.people.values():
            for channel in CHANNELS:
                key = (person.specialist_id, channel)
                load = person.load.get(channel, 0)
                assert load == held[key]
                assert load <= max(person.capacity[channel], self.loads[key])

    @invariant()
    def no_ticket_is_with_two(self) -> None:
        """One has it or is offered it, or nobody."""
        open_offers = [offer for offer in self.router.offers.values() if offer.state == "open"]
        ringing = [ticket for ticket in self.router.tickets.values() if ticket.offer]
        assert {ticket.offer for ticket in ringing} == set(open_offers)
        assert len(open_offers) == len(ringing)
        assert not [ticket for ticket in ringing if ticket.specialist_id]

    @invariant()
    def no_ticket_is_forgotten(self) -> None:
        """Who could be helped waits for nothing; what time is to bring about will be."""
        roster = self.router.roster
        for ticket in self.router.tickets.values():
            assert ticket.wakes_at is None or ticket.wakes_at > self.router.now
            if ticket.waits:
                assert takers(roster, ticket) == []
            if not ticket.needs_specialist:
                assert ticket.current_specialist_id is None

    @invariant()
    def nobody_keeps_what_they_cannot_answer(self) -> None:
        """Nothing rings at who is not there; of who has gone, it is known when it is taken."""
        for ticket in self.router.tickets.values():
            if ticket.current_specialist_id is None:
                continue
            person = self.router.people[ticket.current_specialist_id]
            if ticket.offer is not None:
                assert person.available
            else:
                assert (ticket.hand_back_at is None) == (person.absence is None)

    @invariant()
    def what_was_told_is_what_is(self) -> None:
        """Readers of the topic know who has what; no two facts have one id."""
        ids = [envelope.id for envelope in self.router.announced]
        assert len(ids) == len(set(ids))
        has: dict[str, str] = {}
        rings: dict[str, str] = {}
        for envelope in self.router.announced:
            match envelope.event:
                case TicketOffered() as event:
                    assert event.subject not in rings.keys() | has.keys()
                    rings[event.subject] = event.specialist_id
                case OfferFact() as event:
                    assert rings.pop(event.subject) == event.specialist_id
                case TicketAssigned() as event:
                    assert event.subject not in rings.keys() | has.keys()
                    has[event.subject] = event.specialist_id
                case TicketDeclined() | AssignmentReleased() | AssignmentHandedBack() as event:
                    assert has.pop(event.subject) == event.specialist_id
                case _:
                    pass
        known = self.router.tickets.values()
        assert has == {str(t.ticket_id): t.specialist_id for t in known if t.specialist_id}
        assert rings == {str(t.ticket_id): t.current_specialist_id for t in known if t.offer}


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40)
