"""The history of a ticket in sentences."""

import json
from datetime import datetime, timedelta

from router.pages.history import assignment_reason, history
from shared.events import (
    CATALOGUE,
    AssignmentExplained,
    Need,
    OfferAccepted,
    OfferExpired,
    TicketAssigned,
    TicketEvent,
    TicketOffered,
    TicketQueued,
    Wanted,
    Weights,
    ticket_id_of,
)
from shared.testing.builders import NOON

GOLDEN_TOPICS = ("tickets.v1", "assignments.v1")
ASSIGNED = TicketAssigned(
    ticket_id=ticket_id_of("test", "T1"),
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
    "name": "Ann",
    "fact": ASSIGNED.model_dump_json(),
}
MOVED = {
    "at": NOON,
    "kind": "move",
    "actor": "lea",
    "actor_name": "Lea",
    "to_id": "ann",
    "to_name": "Ann",
    "reason": "knows the account",
}

DECIDED = AssignmentExplained(
    ticket_id=ticket_id_of("test", "T1"),
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


def test_every_fact_about_a_ticket_has_a_sentence() -> None:
    """No page shows the name of an event's type."""
    kinds = [
        kind
        for kind, event in CATALOGUE.items()
        if issubclass(event, TicketEvent)
        and event.topic in GOLDEN_TOPICS
        and event is not AssignmentExplained
    ]
    lines = [line for kind in kinds for line in history([_anything(kind)], [])]
    assert len(lines) == len(kinds) > 20
    assert [line.text for line in lines if "premium." in line.text] == []


def test_the_reason_for_an_assignment_is_described() -> None:
    """By the rule that decided, or by the lead who moved the ticket."""
    assert [line.text for line in history([GIVEN], [])] == ["Ann has it, after 1 min"]
    assert assignment_reason(DECIDED, [], "ann") == "no other specialist could take it"
    assert assignment_reason(None, [MOVED], "ann") == "Lea moved it to Ann: knows the account"
    assert assignment_reason(DECIDED, [], "ben") == ""


def test_unanswered_offers_are_one_line() -> None:
    """With their number for each specialist; an open offer and its end have their own lines."""
    facts = []
    for minute, who in enumerate(("ann", "ben", "ann")):
        at = NOON + timedelta(minutes=minute)
        facts += [_rang(TicketOffered.type, at, who), _rang(OfferExpired.type, at, who)]
        facts.append({**_rang(TicketQueued.type, at, None), "fact": '{"reason": "no_answer"}'})
    later = NOON + timedelta(minutes=9)
    facts += [_rang(TicketOffered.type, later, "ben"), _rang(OfferAccepted.type, later, "ben")]
    vain, *rest = history(facts, [])
    assert vain.text == "Rang 3 times without an answer: Ann 2 times, Ben once"
    assert (vain.since, vain.at) == (NOON, NOON + timedelta(minutes=2))
    assert [line.text for line in rest] == ["Offered to Ben", "Ben accepted"]


def test_a_single_unanswered_offer_has_its_own_line() -> None:
    """Only two or more are summed up."""
    facts = [_rang(TicketOffered.type, NOON, "ann"), _rang(OfferExpired.type, NOON, "ann")]
    texts = [line.text for line in history(facts, [])]
    assert texts == ["Offered to Ann", "Ann did not answer the offer"]


def _rang(kind: str, at: datetime, who: str | None) -> dict[str, object]:
    name = who and who.title()
    return {"at": at, "type": kind, "specialist_id": who, "name": name, "fact": "{}"}


def _anything(kind: str) -> dict[str, object]:
    """Build an event with every field that any sentence uses."""
    words = dict.fromkeys(
        ("source", "external_id", "waiting_for", "severity", "reason", "cause", "outcome", "words"),
        "x",
    )
    counts = {"waited_ms": 1, "attempt": 1, "unanswered": 3}
    fact = json.dumps({**words, **counts, "english_instead": True})
    return {"at": NOON, "type": kind, "specialist_id": None, "name": None, "fact": fact}
