"""The history of a ticket on its page."""

from datetime import datetime, timedelta

from router.pages.history import assignment_reason, history
from shared.events import (
    AssignmentExplained,
    Need,
    OfferAccepted,
    OfferExpired,
    TicketAssigned,
    TicketOffered,
    TicketQueued,
    Wanted,
    Weights,
    ticket_id_of,
)
from shared.events.assignments import AssignmentFact, SpecialistFact
from shared.testing.builders import NOON
from shared.web.formatting import span
from shared.wording import Reader

READER = Reader(duration=span, name=str.title)
T1 = ticket_id_of("test", "T1")
ASSIGNED = TicketAssigned(
    ticket_id=T1,
    specialist_id="ann",
    account_id="northwind",
    channel="email",
    severity="standard",
    language="de",
    english_instead=False,
    due_at=NOON,
    waited_ms=65_000,
)
GIVEN = {
    "at": NOON,
    "type": TicketAssigned.type,
    "specialist_id": "ann",
    "fact": ASSIGNED.model_dump_json(),
}
MOVED = {
    "at": NOON,
    "kind": "move",
    "actor": "lea",
    "to_id": "ann",
    "reason": "knows the account",
}

DECIDED = AssignmentExplained(
    ticket_id=T1,
    decided_at=NOON,
    specialist_id="ann",
    wanted=Wanted(
        account_id="northwind",
        channel="email",
        language="de",
        promise_class="guarantee",
        due_at=NOON,
        rank_at=NOON,
        needs=(Need(language="de", level=3),),
    ),
    weights=Weights(scarcity=4, load=2, affinity=1),
    candidates=(),
    decided_by="only",
)


def test_the_reason_for_an_assignment_is_described() -> None:
    """By the rule that decided, or by the lead who moved the ticket."""
    assert assignment_reason(DECIDED, [], "ann", READER) == "Nobody else was free."
    text = assignment_reason(None, [MOVED], "ann", READER)
    assert text == "Lea moved it to Ann: knows the account"
    assert assignment_reason(DECIDED, [], "ben", READER) == ""


def test_events_and_commands_are_in_one_order() -> None:
    """Each with its sentence; an event of an unknown type is shown as that type."""
    unknown = {"at": NOON - timedelta(minutes=1), "type": "premium.x.y.v9", "fact": "{}"}
    assert [line.text for line in history([unknown, GIVEN], [MOVED], READER)] == [
        "premium.x.y.v9",
        "Assigned to Ann after 1 min",
        "Lea moved it to Ann: knows the account",
    ]


def test_unanswered_offers_are_one_line() -> None:
    """With their number for each specialist; an open offer and its end have their own lines."""
    facts = []
    for minute, who in enumerate(("ann", "ben", "ann")):
        at = NOON + timedelta(minutes=minute)
        facts += [_row(_rang(TicketOffered, who), at), _row(_rang(OfferExpired, who), at)]
        facts.append(_row(TicketQueued(ticket_id=T1, reason="no_answer"), at))
    later = NOON + timedelta(minutes=9)
    facts += [_row(_rang(kind, "ben"), later) for kind in (TicketOffered, OfferAccepted)]
    vain, *rest = history(facts, [], READER)
    assert vain.text == "Rang 3 times without an answer: Ann 2 times, Ben once"
    assert (vain.since, vain.at) == (NOON, NOON + timedelta(minutes=2))
    assert [line.text for line in rest] == ["Rang for Ben", "Ben accepted"]


def test_a_single_unanswered_offer_has_its_own_line() -> None:
    """Only two or more are summed up."""
    facts = [_row(_rang(kind, "ann"), NOON) for kind in (TicketOffered, OfferExpired)]
    texts = [line.text for line in history(facts, [], READER)]
    assert texts == ["Rang for Ann", "Ann missed it"]


def _rang(kind: type[SpecialistFact], who: str) -> SpecialistFact:
    """Make an event of an offer to a specialist."""
    offer = {"offer_id": T1, "lease_ends_at": NOON}
    return kind.model_validate({**ASSIGNED.model_dump(), **offer, "specialist_id": who})


def _row(event: AssignmentFact, at: datetime) -> dict[str, object]:
    """Make the record of an event, as the store reads it."""
    who = event.specialist_id if isinstance(event, SpecialistFact) else None
    fact = event.model_dump_json()
    return {"at": at, "type": event.type, "specialist_id": who, "fact": fact}
