"""A generated working day: each decision has a record that explains it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, Final

from router.domain.assignment.session import AssignmentSession
from router.domain.command_handlers import execute
from router.domain.commands import Accept, Command, Conflict, Decline
from router.domain.matching import redecide
from router.domain.matching.counterfactual import apply_change
from router.domain.offers.offer import Offer
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from shared.events import (
    AssignmentExplained,
    Envelope,
    Event,
    TicketAssigned,
    TicketClosed,
    TicketOffered,
    TicketQueued,
)
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, minutes

PEOPLE: Final = 45
TICKETS: Final = 600
LANGUAGES: Final = ("en", "en", "en", "en", "de", "fr", "ja", "pt-BR", "ko")
SHIFTS: Final[tuple[Any, ...]] = (
    None,
    {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}},
    {"zone": "America/New_York", "hours": {"mon-fri": ["09:00-17:00"]}},
    {"zone": "Asia/Tokyo", "hours": {"mon-fri": ["09:00-18:00"]}},
)


def test_every_decision_of_a_day_follows_from_its_record() -> None:
    """The published record leads to the same choice, and its smallest change to another."""
    announced = [envelope.event for envelope in _a_day(Random(7))]  # noqa: S311 - the same each run
    records = [
        AssignmentExplained.model_validate_json(event.model_dump_json())
        for event in announced
        if isinstance(event, AssignmentExplained)
    ]
    recorded = Counter((record.ticket_id, record.specialist_id) for record in records)
    assert recorded == Counter(
        (event.ticket_id, None if isinstance(event, TicketQueued) else event.specialist_id)
        for event in announced
        if isinstance(event, TicketOffered | TicketQueued)
        or (isinstance(event, TicketAssigned) and event.offer_id is None)
    )
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
        if (change := record.smallest_change) is not None:
            otherwise = (
                apply_change(one, change, record.wanted.needs)
                if one.specialist_id == change.specialist_id
                else one
                for one in record.candidates
            )
            instead = redecide(record.wanted, record.weights, otherwise)
            assert instead == change.instead != record.specialist_id
    ways = {record.decided_by for record in records}
    assert ways == {None, "only", "step", "score", "idle_longest", "id"}
    assert {c.failed for r in records for c in r.candidates} >= {"room", "shift", "set_aside"}


def _a_day(dice: Random) -> Iterator[Envelope[Event]]:
    """Yield the events of a day in order of time."""
    roster = Roster([])
    tickets: dict[Any, Ticket] = {}
    known: dict[str, Any] = {}
    coming = [*_requests(dice)]
    for minute in range(24 * 60):
        session = AssignmentSession(roster, tickets.values(), NOON + minutes(minute), OfferRules())
        session.state.affinities = known
        session.dispatcher.add_waiting(
            [ticket for ticket in tickets.values() if ticket.waits],
            dict.fromkeys(roster.pools, TICKETS + 1),
        )
        session.wake({})
        for _, event in (one for one in coming if one[0] == minute):
            session.apply(event)
        for act, offer in [*_commands(session, dice)]:
            with suppress(Conflict):
                execute(session, act, offer)
        roster.commit()
        tickets, known = session.state.tickets, session.state.affinities
        yield from session.state.announced


def _commands(session: AssignmentSession, dice: Random) -> Iterator[tuple[Command, Offer | None]]:
    """Yield commands: most offers are accepted, some expire, some tickets are handed back."""
    for ticket in session.state.tickets.values():
        who, offer = ticket.current_specialist_id, ticket.offer
        if who is not None and offer is not None and dice.random() < 0.7:
            yield Accept(offer.offer_id, who), offer
        elif who is not None and dice.random() < 0.01:
            yield Decline(ticket.ticket_id, who, "busy"), None


def _requests(dice: Random) -> Iterator[tuple[int, Envelope[Event]]]:
    for n in range(PEOPLE):
        yield 0, _specialist(f"s{n:02}", dice, after_min=0)
    for n in range(PEOPLE):
        minute = dice.randrange(24 * 60)
        yield minute, _specialist(f"s{n:02}", dice, after_min=minute)
    for n in range(TICKETS):
        minute = dice.randrange(23 * 60)
        yield (
            minute,
            a_ticket(
                f"T{n}",
                channel=dice.choice(["email", "email", "phone", "chat"]),
                language=dice.choice(LANGUAGES),
                account_id=f"account-{dice.randrange(60)}",
                role=dice.choice(["super_admin", "seat"]),
                severity=dice.choice(["standard", "standard", "business_critical"]),
                after_min=minute,
            ),
        )
        end = minute + dice.randrange(10, 400)
        yield end, a_fact(TicketClosed, f"T{n}", after_min=end)


def _specialist(name: str, dice: Random, *, after_min: int) -> Envelope[Event]:
    spoken = sorted({*dice.choices(LANGUAGES, k=2)})
    return a_specialist(
        name,
        languages=tuple(spoken),
        levels={language: dice.randint(1, 5) for language in spoken},
        capacity={
            "email": dice.randrange(4),
            "phone": dice.randrange(2),
            "chat": dice.randrange(3),
        },
        presence=dice.choice(["online", "online", "online", "away"]),
        certified=dice.random() < 0.9,
        universal=dice.choice([None, {"capacity": 3, "weights": {"phone": 2}}]),
        shifts=dice.choice(SHIFTS),
        after_min=after_min,
    )
