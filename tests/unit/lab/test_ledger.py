"""The demo's oracle: what must become of a promise, from what was sent alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.demo.ledger import Ledger, Outcome, outcome_of
from lab.proof.tables import RecordedAction
from shared.events import LaterFact, SupportRequest

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def a_request(**changes: object) -> SupportRequest:
    """Make a standard email of a super admin at noon, UTC, a Tuesday."""
    return SupportRequest.model_validate(
        {
            "source": "test",
            "external_id": "1",
            "account_id": "alder-finch",
            "requester_id": "admin-1",
            "role": "super_admin",
            "channel": "email",
            "language": "en",
            "subject": "A question",
            "body": "How do we add a second approver?",
            "occurred_at": NOON,
            **changes,
        }
    )


def a_fact(what: str, minutes: float, **changes: object) -> LaterFact:
    """Tell what happened so many minutes after noon."""
    return LaterFact.model_validate(
        {
            "source": "test",
            "external_id": "1",
            "type": what,
            "occurred_at": NOON + timedelta(minutes=minutes),
            **changes,
        }
    )


CRITICAL = {"severity": "business_critical"}


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({}, 60),
        (CRITICAL, 30),
        (CRITICAL | {"body": ""}, 60),
        ({"role": "seat"}, 5 * 60 + 16 * 60 + 3 * 60),
        ({"role": "seat"} | CRITICAL, 5 * 60 + 16 * 60 + 3 * 60),
        ({"channel": "phone"}, 5),
        ({"channel": "chat", "role": "seat"}, 1),
    ],
)
def test_an_answer_keeps_the_promise_up_to_its_due_time(
    changes: dict[str, Any], minutes: float
) -> None:
    """The targets of DOMAIN's table; five o'clock ends a business day, nine begins the next."""
    request = a_request(**changes)
    assert outcome_of(request, [a_fact("responded", minutes)]) == "kept"
    late = outcome_of(request, [a_fact("responded", minutes + 0.1)])
    assert late == ("missed" if {"role", "channel"} & changes.keys() else "breached")


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ([], "breached"),
        ([a_fact("closed", 10)], "cancelled"),
        ([a_fact("closed", 70)], "breached"),
        ([a_fact("closed", 10), a_fact("responded", 5)], "kept"),
        ([a_fact("responded", 70), a_fact("responded", 50)], "kept"),
        ([a_fact("customer_replied", 5)], "breached"),
        ([a_fact("waiting", 10), a_fact("resumed", 30), a_fact("responded", 80)], "kept"),
        ([a_fact("waiting", 10), a_fact("resumed", 30), a_fact("responded", 81)], "breached"),
    ],
)
def test_facts_count_by_when_they_happened(facts: list[LaterFact], outcome: Outcome) -> None:
    """Whatever order they are told in."""
    assert outcome_of(a_request(), facts) == outcome
    assert outcome_of(a_request(), reversed(facts)) == outcome


def test_a_claim_found_too_high_gets_the_longer_target() -> None:
    """From the same create date."""
    facts = [a_fact("reclassified", 10, severity="standard"), a_fact("responded", 45)]
    assert outcome_of(a_request(**CRITICAL), facts) == "kept"


def test_copies_are_one_document() -> None:
    """What is sent twice is counted, and judged once."""
    ledger = Ledger()
    for _ in range(2):
        ledger.write(a_request())
        ledger.write(a_fact("responded", 5))
    assert len(ledger.documents) == 2
    assert ledger.doubles == 2
    assert dict(ledger.outcomes([])) == {a_request().ticket_id: "kept"}


def a_deed(kind: str, minutes: float, what: str | None = None) -> RecordedAction:
    """Let Mara do something so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    return RecordedAction(a_request().ticket_id, kind, "mara", at, what)


@pytest.mark.parametrize(
    ("changes", "actions", "outcome"),
    [
        ({}, [a_deed("respond", 60)], "kept"),
        ({}, [a_deed("respond", 61)], "breached"),
        ({}, [a_deed("accept", 1), a_deed("hand_back", 2), a_deed("confirm", 3)], "breached"),
        (CRITICAL, [a_deed("reclassify", 40, "standard"), a_deed("respond", 45)], "kept"),
        ({"body": ""}, [a_deed("reclassify", 5, "business_critical")], "breached"),
        ({"channel": "phone"}, [a_deed("dial", 1, "busy")], "missed"),
        ({"channel": "phone"}, [a_deed("dial", 1, "busy"), a_deed("dial", 4, "answered")], "kept"),
    ],
)
def test_what_people_did_counts_as_if_it_had_been_told(
    changes: dict[str, Any], actions: list[RecordedAction], outcome: Outcome
) -> None:
    """An answer at the desk, one on the phone, a severity found: each at its own moment."""
    ledger = Ledger()
    ledger.write(a_request(**changes))
    assert dict(ledger.outcomes(actions)) == {a_request().ticket_id: outcome}
