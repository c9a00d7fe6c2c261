"""Properties of matching for any sequence of events, however it is cut into batches."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from router.domain.assignment.session import AssignmentSession
from router.domain.command_handlers import execute
from router.domain.commands import Decline, NotTheirs, Unknown
from router.domain.matching import Pool, redecide
from router.domain.matching_request import AccountAffinity
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import (
    AssignmentExplained,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    Need,
    TicketAssigned,
    TicketClosed,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    ticket_id_of,
)
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, reclassified, removed

DIRECTLY = OfferRules(rings={})
type Record = Envelope[Event] | Decline

NOW = NOON + timedelta(minutes=40)
PEOPLE = ("ann", "ben", "cy")
TICKETS = tuple(f"T{number}" for number in range(12))
LANGUAGES = ("en", "en", "en", "de-AT", "de", "ja")
FACTS = (
    TicketResponded,
    CustomerReached,
    TicketResolved,
    TicketClosed,
    TicketReopened,
    CustomerReplied,
)

specialists = st.sampled_from(PEOPLE)
tickets = st.sampled_from(TICKETS)
moments = st.integers(0, 30)
listings = st.builds(
    a_specialist,
    specialists,
    languages=st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=2).map(tuple),
    capacity=st.fixed_dictionaries({"email": st.integers(0, 3)}, optional={"chat": st.just(1)}),
    presence=st.sampled_from(["online", "online", "online", "away"]),
    after_min=moments,
)
requests = st.builds(
    a_ticket,
    tickets,
    channel=st.sampled_from(["email", "email", "chat"]),
    language=st.sampled_from(LANGUAGES),
    account_id=st.sampled_from(["northwind", "contoso"]),
    role=st.sampled_from(["super_admin", "seat"]),
)
declines = st.builds(
    lambda name, who: Decline(ticket_id_of("test", name), who, "busy"), tickets, specialists
)
records = st.one_of(
    requests,
    listings,
    st.builds(a_fact, st.sampled_from(FACTS), tickets, after_min=moments),
    st.builds(
        reclassified,
        tickets,
        st.sampled_from(["standard", "business_critical"]),
        after_min=moments,
    ),
    st.builds(removed, specialists, after_min=moments),
    declines,
)
sequences = st.builds(
    lambda *parts: list({str(record): record for part in parts for record in part}.values()),
    st.lists(listings, max_size=2),
    st.lists(requests, max_size=10),
    st.lists(records, max_size=40),
)


@dataclass
class Batches:
    """The state between two batches, and all announced events."""

    roster: Roster = field(default_factory=lambda: Roster([]))
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    affinities: dict[str, AccountAffinity] = field(default_factory=dict)
    announced: list[Envelope[Event]] = field(default_factory=list)

    def decide_batch(self, batch: Sequence[Record], extra: int) -> AssignmentSession:
        """Decide on a batch with the earliest tickets of each pool; load more if necessary."""
        limits: dict[Pool, int] = {}
        while (session := self._decide(batch, limits)).dispatcher.insufficiently_loaded:
            limits |= {
                pool: limits.get(pool, 0) + extra
                for pool in session.dispatcher.insufficiently_loaded
            }
            self.roster.roll_back()
        self.roster.commit()
        self.tickets.update(session.state.tickets)
        self.affinities = session.state.affinities
        self.announced += session.state.announced
        return session

    def _decide(self, batch: Sequence[Record], limits: dict[Pool, int]) -> AssignmentSession:
        ids = {_ticket_id(record) for record in batch}
        rows = sorted(self.tickets.values(), key=lambda ticket: ticket.ticket_id)
        known = [t for t in rows if t.ticket_id in ids or t.specialist_id]
        session = AssignmentSession(self.roster, deepcopy(known), NOW, DIRECTLY)
        session.state.affinities = {**self.affinities}
        session.dispatcher.add_waiting(deepcopy([*self.earliest(limits)]), limits)
        for record in batch:
            _apply(session, record)
        return session

    def earliest(self, limits: dict[Pool, int]) -> Iterator[Ticket]:
        """Yield the earliest waiting tickets of each pool, up to its limit."""
        seen: Counter[Pool] = Counter()
        waiting = [ticket for ticket in self.tickets.values() if ticket.waits]
        for ticket in sorted(waiting, key=lambda ticket: ticket.key):
            assert ticket.pool is not None
            seen[ticket.pool] += 1
            if seen[ticket.pool] <= limits.get(ticket.pool, 0):
                yield ticket


def _ticket_id(record: Record) -> UUID | None:
    event = record if isinstance(record, Decline) else record.event
    ticket_id: UUID | None = getattr(event, "ticket_id", None)
    return ticket_id


def _apply(session: AssignmentSession, record: Record) -> None:
    if isinstance(record, Decline):
        with suppress(NotTheirs, Unknown):
            execute(session, record, None)
    else:
        session.apply(record)


@given(sequences, st.sets(st.integers(0, 60)), st.integers(1, 3))
def test_batches_make_no_difference(sequence: list[Record], cuts: set[int], extra: int) -> None:
    """The size of batches and the number of loaded tickets do not change the events."""
    whole, cut = Batches(), Batches()
    whole.decide_batch(sequence, extra=100)
    edges = [0, *sorted(cuts), len(sequence)]
    for start, end in pairwise(edges):
        cut.decide_batch(sequence[start:end], extra)
    assert cut.announced == whole.announced


@given(sequences)
def test_no_ticket_waits_that_a_specialist_could_take(sequence: list[Record]) -> None:
    """Checked after every event for each specialist."""
    world = Batches()
    for record in sequence:
        world.decide_batch([record], extra=100)
        waiting = [ticket for ticket in world.tickets.values() if ticket.waits]
        assert [one for ticket in waiting for one in _able_specialists(world.roster, ticket)] == []


def _able_specialists(roster: Roster, ticket: Ticket) -> Iterator[Specialist]:
    """Yield the specialists who could take a ticket, by checking all of them."""
    assert ticket.pool is not None
    needs = roster.needs(ticket.pool)
    qualified = [one for one in roster.specialists.values() if _qualifies(one, ticket, needs)]
    excluded = {*ticket.excluded_until}
    if {one.specialist_id for one in qualified if one.available} <= excluded:
        excluded = {*ticket.declined_by}
    if {one.specialist_id for one in qualified} <= excluded:
        excluded = set()
    for one in qualified:
        if one.can_take(ticket.terms.channel) and one.specialist_id not in excluded:
            yield one


def _qualifies(one: Specialist, ticket: Ticket, needs: Sequence[Need]) -> bool:
    return ticket.terms.channel in one.serves and any(
        need.language is None or one.speaks.get(need.language, 0) >= need.level for need in needs
    )


@given(sequences)
def test_no_specialist_gets_more_than_their_capacity(sequence: list[Record]) -> None:
    """After an assignment a specialist holds no more than they can."""
    world = Batches()
    for record in sequence:
        session = world.decide_batch([record], extra=100)
        for envelope in session.state.announced:
            if isinstance(envelope.event, TicketAssigned):
                specialist = world.roster.get(envelope.event.specialist_id)
                assert specialist is not None
                assert specialist.room(envelope.event.channel) >= 0


@given(sequences)
def test_the_load_is_the_number_of_held_tickets(sequence: list[Record]) -> None:
    """No ticket is counted twice or missed."""
    world = Batches()
    world.decide_batch(sequence, extra=100)
    held = Counter(
        (ticket.specialist_id, ticket.terms.channel)
        for ticket in world.tickets.values()
        if ticket.specialist_id
    )
    load = Counter(
        {
            (name, channel): count
            for name in PEOPLE
            if (specialist := world.roster.get(name)) is not None
            for channel, count in specialist.load.items()
        }
    )
    assert +load == held


@given(sequences)
def test_a_rolled_back_transaction_leaves_no_trace(sequence: list[Record]) -> None:
    """After a rollback the roster decides as if the transaction had not run."""
    world, other = Batches(), Batches()
    for record in sequence:
        world.decide_batch([record], extra=100)
        other._decide([record], {})
        other.roster.roll_back()
        other.decide_batch([record], extra=100)
    assert other.announced == world.announced


@given(sequences)
def test_each_decision_follows_from_its_record(sequence: list[Record]) -> None:
    """The record alone leads to the same specialist."""
    world = Batches()
    world.decide_batch(sequence, extra=100)
    for envelope in world.announced:
        if isinstance(record := envelope.event, AssignmentExplained):
            again = AssignmentExplained.model_validate_json(record.model_dump_json())
            assert redecide(again.wanted, again.weights, again.candidates) == record.specialist_id
