"""Ways to give tickets out, and how many promises each keeps."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from tests.matching.cases import PERIOD_MIN, PERIODS, RULES, Case, needs_of, qualifies

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import TicketAssigned, TicketClosed
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_fact, minutes

__all__ = ["least_loaded", "optimum", "ours", "round_robin"]

type Choose = Callable[[Sequence[Specialist], Counter[str]], Specialist]
"""Picks one of those who could take a ticket, knowing how much each was given so far."""


def optimum(case: Case) -> int:
    """Count the promises that a dispatcher who knows the whole day in advance could keep.

    Each ticket is matched with a free place of a specialist between its create date and its due
    time; a maximum matching keeps the most promises.
    """
    people = case.people
    places = {place: number for number, place in enumerate(_places(people))}
    rows, columns = [], []
    tickets = _learned(case)
    for row, ticket in enumerate(tickets):
        for period in _in_time(ticket):
            needs = needs_of(ticket, period * PERIOD_MIN, people)
            for one in people:
                if qualifies(one, ticket, needs):
                    channel = ticket.terms.channel
                    for place in range(one.serves[channel]):
                        rows.append(row)
                        columns.append(places[one.specialist_id, channel, place, period])
    graph = csr_array(([1] * len(rows), (rows, columns)), shape=(len(tickets), len(places)))
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())


def ours(case: Case) -> int:
    """Let router decide, as things come."""
    roster = Roster([])
    tickets: dict[UUID, Ticket] = {}
    coming, kept = [*case.tickets], 0
    for period in range(2 * PERIODS):
        now = NOON + minutes(period * PERIOD_MIN)
        session = AssignmentSession(roster, tickets.values(), now, OfferRules(rings={}))
        waiting = [ticket for ticket in tickets.values() if ticket.waits]
        session.dispatcher.add_waiting(waiting, dict.fromkeys(roster.pools, len(case.tickets) + 1))
        session.wake({})
        for envelope in case.team if period == 0 else ():
            session.apply(envelope)
        while coming and coming[0].time <= now:
            session.apply(coming.pop(0))
        done = [e for e in case.tickets if _holds(tickets, e.event.ticket_id)]  # type: ignore[attr-defined]
        for envelope in done:
            name = envelope.event.external_id  # type: ignore[attr-defined]
            session.apply(a_fact(TicketClosed, name, after_min=period * PERIOD_MIN))
        given = (e.event for e in session.state.announced if isinstance(e.event, TicketAssigned))
        kept += sum(event.due_at is not None and event.due_at >= now for event in given)
        roster.commit()
        tickets = session.state.tickets
    return kept


def _holds(tickets: dict[UUID, Ticket], ticket_id: UUID) -> bool:
    return ticket_id in tickets and tickets[ticket_id].specialist_id is not None


def round_robin(case: Case) -> int:
    """First come, first served, by whoever was not served for longest."""
    turns = {one.specialist_id: -1 for one in case.people}
    clock = iter(range(1_000_000))

    def choose(able: Sequence[Specialist], _: Counter[str]) -> Specialist:
        chosen = min(able, key=lambda one: turns[one.specialist_id])
        turns[chosen.specialist_id] = next(clock)
        return chosen

    return _first_come(case, choose)


def least_loaded(case: Case) -> int:
    """First come, first served, by whoever holds least."""
    return _first_come(case, lambda able, held: min(able, key=lambda o: held[o.specialist_id]))


def _first_come(case: Case, choose: Choose) -> int:
    people, waiting, kept = case.people, _learned(case), 0
    for period in range(2 * PERIODS):
        at_min = period * PERIOD_MIN
        now, held, full = NOON + minutes(at_min), Counter[str](), Counter[tuple[str, Channel]]()
        for ticket in [t for t in waiting if t.terms.create_date <= now]:
            channel = ticket.terms.channel
            needs = needs_of(ticket, at_min, people)
            able = [
                one
                for one in people
                if qualifies(one, ticket, needs)
                and full[one.specialist_id, channel] < one.serves[channel]
            ]
            if able:
                chosen = choose(able, held)
                held[chosen.specialist_id] += 1
                full[chosen.specialist_id, channel] += 1
                waiting.remove(ticket)
                kept += _due(ticket) >= now
    return kept


def _learned(case: Case) -> list[Ticket]:
    tickets = []
    for envelope in case.tickets:
        ticket = Ticket(envelope.event.ticket_id)  # type: ignore[attr-defined]
        ticket.apply(envelope)
        ticket.update_queue_place(RULES, envelope.time)
        tickets.append(ticket)
    return tickets


def _places(people: Sequence[Specialist]) -> Iterator[tuple[str, Channel, int, int]]:
    for one in people:
        for channel, most in one.serves.items():
            for place in range(most):
                yield from ((one.specialist_id, channel, place, n) for n in range(2 * PERIODS))


def _due(ticket: Ticket) -> datetime:
    assert ticket.due_at is not None
    return ticket.due_at


def _in_time(ticket: Ticket) -> Iterator[int]:
    for period in range(2 * PERIODS):
        if ticket.terms.create_date <= NOON + minutes(period * PERIOD_MIN) <= _due(ticket):
            yield period
