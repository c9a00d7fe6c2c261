"""Any history of a router: commands, double clicks, leases, presence and shifts, in any order."""

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
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, removed

PEOPLE: Final = ("ann", "ben", "cy")
TICKETS: Final = tuple(f"T{number}" for number in range(8))
FACTS: Final = (TicketResponded, CustomerReached, TicketClosed, TicketReopened)
SHIFTS: Final = {"zone": "UTC", "hours": {"mon-fri": ["12:00-12:10", "12:20-12:40"]}}

specialists = st.sampled_from(PEOPLE)
tickets = st.sampled_from(TICKETS)


def able_specialists(roster: Roster, ticket: Ticket) -> list[Specialist]:
    """Return all specialists who could take a ticket; of a pinned one, only that specialist."""
    assert ticket.pool is not None
    pool = ticket.pool
    specialists = roster.specialists.values()
    qualified = [one for one in specialists if roster.qualifies(one.specialist_id, pool)]
    only = [one for one in qualified if one.specialist_id == ticket.pinned_to]
    excluded = {*ticket.excluded_until}
    if ticket.rings_at is not None:
        able = [one for one in only or qualified if one.can_take(pool.channel)]
        return [one for one in able if one.specialist_id not in excluded]
    if {one.specialist_id for one in qualified if one.available} <= excluded:
        excluded = {*ticket.declined_by}
    if only or {one.specialist_id for one in qualified} <= excluded:
        excluded = set()
    able = [one for one in only or qualified if one.can_take(pool.channel)]
    return [one for one in able if one.specialist_id not in excluded]


class Histories(RuleBasedStateMachine):
    """Runs a history on one router; a refused command changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.router = InMemoryRouter()
        self.loads: Counter[tuple[str, str]] = Counter()
        self.done: list[Step] = []

    @property
    def minute(self) -> float:
        """Return the minutes since noon."""
        return (self.router.now - NOON) / timedelta(minutes=1)

    @initialize()
    def open(self) -> None:
        """List two available specialists at the start."""
        self.apply(a_specialist("ann"), a_specialist("ben"))

    def apply(self, *steps: Step) -> None:
        """Apply steps; keep the loads from before, to compare capacities with."""
        for step in steps:
            specialists = self.router.specialists.values()
            self.loads = Counter(
                {(p.specialist_id, c): n for p in specialists for c, n in p.load.items()}
            )
            with suppress(Conflict, Unknown):
                self.router.apply(step)
            self.done.append(step)

    @rule(
        who=specialists,
        room=st.integers(0, 2),
        presence=st.sampled_from(["online", "online", "away", "offline"]),
        extras=st.sampled_from([{}, {"shifts": SHIFTS}, {"universal": {"capacity": 2}}]),
    )
    def list_specialist(
        self, who: str, room: int, presence: str, extras: dict[str, object]
    ) -> None:
        """Change a roster entry."""
        capacity = dict.fromkeys(CHANNELS, room)
        more = {"capacity": capacity, "presence": presence, **extras}
        self.apply(a_specialist(who, after_min=self.minute, **more))  # type: ignore[arg-type]

    @rule(who=specialists)
    def remove(self, who: str) -> None:
        """Remove a specialist from the roster."""
        self.apply(removed(who, after_min=self.minute))

    @rule(name=tickets, channel=st.sampled_from(CHANNELS))
    def accept_request(self, name: str, channel: str) -> None:
        """Accept a request."""
        self.apply(a_ticket(name, channel=channel, after_min=self.minute))  # type: ignore[arg-type]

    @rule(name=tickets, fact=st.sampled_from(FACTS))
    def apply_fact(self, name: str, fact: type) -> None:
        """Apply an upstream fact."""
        self.apply(a_fact(fact, name, after_min=self.minute))

    @rule(
        who=specialists, presence=st.sampled_from(["online", "away", "offline"]), back=st.booleans()
    )
    def report_presence(self, who: str, presence: str, back: bool) -> None:
        """Report a presence."""
        self.apply(PresenceReport(who, presence, hand_back=back))  # type: ignore[arg-type]

    @rule(who=specialists, back=st.booleans())
    def set_away(self, who: str, back: bool) -> None:
        """Set a specialist away, or end that."""
        self.apply(EndAway(who) if back else SetAway(who))

    @rule(seconds=st.sampled_from([1, 4, 10, 30, 120, 600, 1200]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.router.later(seconds=seconds)
        specialists = self.router.specialists.values()
        self.loads = Counter(
            {(p.specialist_id, c): n for p in specialists for c, n in p.load.items()}
        )
        self.router.wake()

    @rule(name=tickets, accepts=st.booleans())
    def answer_offer(self, name: str, accepts: bool) -> None:
        """Accept or decline an open offer."""
        ticket = self.router.tickets.get(ticket_id(name))
        if ticket is not None and ticket.offer is not None:
            offer_id, who = ticket.offer.offer_id, ticket.offer.specialist_id
            decline: Command = DeclineOffer(offer_id, who, "busy")
            self.apply(Accept(offer_id, who) if accepts else decline)

    @rule(name=tickets, who=specialists, to=specialists, which=st.integers(0, 6))
    def give_command(self, name: str, who: str, to: str, which: int) -> None:
        """Give any command of any specialist or lead on a ticket."""
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
        self.apply(acts[which])

    @rule(which=st.integers(0, 1000))
    def click_twice(self, which: int) -> None:
        """Repeat an earlier command."""
        if self.done:
            step = self.done[which % len(self.done)]
            if not isinstance(step, Envelope):
                self.apply(step)

    @invariant()
    def no_capacity_is_exceeded(self) -> None:
        """No load grows beyond a capacity, and a load is the number of held and offered tickets."""
        held = Counter(
            (ticket.current_specialist_id, ticket.terms.channel)
            for ticket in self.router.tickets.values()
            if ticket.current_specialist_id
        )
        for specialist in self.router.specialists.values():
            for channel in CHANNELS:
                key = (specialist.specialist_id, channel)
                load = specialist.load.get(channel, 0)
                assert load == held[key]
                assert load <= max(specialist.capacity[channel], self.loads[key])

    @invariant()
    def no_ticket_has_two_specialists(self) -> None:
        """Each ticket is assigned to one specialist, or offered to one, or neither."""
        open_offers = [offer for offer in self.router.offers.values() if offer.state == "open"]
        ringing = [ticket for ticket in self.router.tickets.values() if ticket.offer]
        assert {ticket.offer for ticket in ringing} == set(open_offers)
        assert len(open_offers) == len(ringing)
        assert not [ticket for ticket in ringing if ticket.specialist_id]

    @invariant()
    def no_ticket_waits_unnecessarily(self) -> None:
        """No ticket waits that a specialist could take; every pending change has a timer."""
        roster = self.router.roster
        for ticket in self.router.tickets.values():
            assert ticket.wakes_at is None or ticket.wakes_at > self.router.now
            if ticket.waits:
                assert able_specialists(roster, ticket) == []
            if not ticket.needs_specialist:
                assert ticket.current_specialist_id is None

    @invariant()
    def absent_specialists_keep_no_ticket(self) -> None:
        """They have no open offer; their assigned tickets have a time to be handed back."""
        for ticket in self.router.tickets.values():
            if ticket.current_specialist_id is None:
                continue
            specialist = self.router.specialists[ticket.current_specialist_id]
            if ticket.offer is not None:
                assert specialist.available
            else:
                assert (ticket.hand_back_at is None) == (specialist.absence is None)

    @invariant()
    def published_events_agree_with_the_state(self) -> None:
        """From the events alone follows which specialist has which ticket; their ids differ."""
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
