"""Properties of matching, over any sequence of events and any way to cut it into batches."""

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

from router.domain import Desk
from router.offers.acts import Decline, NotTheirs, Unknown
from router.offers.effects import do
from router.offers.rules import Rules
from router.roster import CHANNELS, Roster, Specialist
from router.ticket import Ticket, base
from shared.events import (
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    TicketAssigned,
    TicketClosed,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    ticket_id_of,
)
from shared.testing.builders import NOON, a_specialist, a_ticket, gone, reclassified, told

DIRECTLY = Rules(rings={})
type Record = Envelope[Event] | Decline

ONE = NOON + timedelta(hours=1)
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

people = st.sampled_from(PEOPLE)
tickets = st.sampled_from(TICKETS)
moments = st.integers(0, 30)
listings = st.builds(
    a_specialist,
    people,
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
    lambda name, who: Decline(ticket_id_of("test", name), who, "busy"), tickets, people
)
records = st.one_of(
    requests,
    listings,
    st.builds(told, st.sampled_from(FACTS), tickets, after_min=moments),
    st.builds(
        reclassified,
        tickets,
        st.sampled_from(["standard", "business_critical"]),
        after_min=moments,
    ),
    st.builds(gone, people, after_min=moments),
    declines,
)
sequences = st.builds(
    lambda *parts: list({str(record): record for part in parts for record in part}.values()),
    st.lists(listings, max_size=2),
    st.lists(requests, max_size=10),
    st.lists(records, max_size=40),
)


@dataclass
class World:
    """What is left between two batches, and all that was announced."""

    specialists: dict[str, Specialist] = field(default_factory=dict)
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    announced: list[Envelope[Event]] = field(default_factory=list)

    def take(self, batch: Sequence[Record], spare: int) -> Desk:
        """Decide on a batch with only the earliest of each pool at hand; with more if need be."""
        while not (desk := self._decide(batch, spare)).saw_enough:
            spare += 1
        self.tickets.update(desk.tickets)
        known = ((name, desk.roster.get(name)) for name in PEOPLE)
        self.specialists = {name: person for name, person in known if person is not None}
        self.announced += desk.announced
        return desk

    def _decide(self, batch: Sequence[Record], spare: int) -> Desk:
        ids = {_ticket_id(record) for record in batch}
        rows = sorted(self.tickets.values(), key=lambda ticket: ticket.ticket_id)
        known = [t for t in rows if t.ticket_id in ids or t.specialist_id]
        desk = Desk(Roster(deepcopy([*self.specialists.values()])), deepcopy(known), ONE, DIRECTLY)
        desk.bring_waiting(deepcopy([*self.earliest(spare)]), dict.fromkeys(CHANNELS, spare))
        for record in batch:
            _play(desk, record)
        return desk

    def earliest(self, limit: int) -> Iterator[Ticket]:
        """Find those who wait, of each pool at most so many."""
        seen: Counter[tuple[str, str]] = Counter()
        waiting = [ticket for ticket in self.tickets.values() if ticket.waits]
        for ticket in sorted(waiting, key=lambda ticket: ticket.key):
            pool = (ticket.terms.channel, base(ticket.terms.language))
            seen[pool] += 1
            if seen[pool] <= limit:
                yield ticket


def _ticket_id(record: Record) -> UUID | None:
    told = record if isinstance(record, Decline) else record.event
    ticket_id: UUID | None = getattr(told, "ticket_id", None)
    return ticket_id


def _play(desk: Desk, record: Record) -> None:
    if isinstance(record, Decline):
        with suppress(NotTheirs, Unknown):
            do(desk, record, None)
    else:
        desk.apply(record)


@given(sequences, st.sets(st.integers(0, 60)), st.integers(1, 3))
def test_batches_make_no_difference(sequence: list[Record], cuts: set[int], spare: int) -> None:
    """However records are cut into batches, and however little of a queue is loaded at first."""
    whole, cut = World(), World()
    whole.take(sequence, spare=100)
    edges = [0, *sorted(cuts), len(sequence)]
    for start, end in pairwise(edges):
        cut.take(sequence[start:end], spare)
    assert cut.announced == whole.announced


@given(sequences)
def test_nobody_waits_whom_somebody_could_take(sequence: list[Record]) -> None:
    """After every single record."""
    world = World()
    for record in sequence:
        desk = world.take([record], spare=100)
        waiting = [ticket for ticket in world.tickets.values() if ticket.waits]
        assert [who for ticket in waiting for who in desk.roster.takers(ticket)] == []


@given(sequences)
def test_nobody_is_given_more_than_their_capacity(sequence: list[Record]) -> None:
    """Whoever was just given a ticket holds no more than they can."""
    world = World()
    for record in sequence:
        desk = world.take([record], spare=100)
        for envelope in desk.announced:
            if isinstance(envelope.event, TicketAssigned):
                person = world.specialists[envelope.event.specialist_id]
                assert person.room(envelope.event.channel) >= 0


@given(sequences)
def test_the_load_is_what_people_hold(sequence: list[Record]) -> None:
    """Nothing is counted twice, nothing is forgotten."""
    world = World()
    world.take(sequence, spare=100)
    held = Counter(
        (ticket.specialist_id, ticket.terms.channel)
        for ticket in world.tickets.values()
        if ticket.specialist_id
    )
    load = Counter(
        {
            (person.specialist_id, channel): count
            for person in world.specialists.values()
            for channel, count in person.load.items()
        }
    )
    assert +load == held
