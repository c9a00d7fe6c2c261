"""The demo's oracle computes a promise's outcome from the sent documents alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.demo.sent import PromiseOutcome, SentMessages, outcome_of
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
    """Make a fact so many minutes after noon."""
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
    """The targets of all promises; a business day is from nine to five."""
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
def test_facts_count_by_when_they_happened(facts: list[LaterFact], outcome: PromiseOutcome) -> None:
    """The order in which they are sent does not matter."""
    assert outcome_of(a_request(), facts) == outcome
    assert outcome_of(a_request(), reversed(facts)) == outcome


def test_a_lowered_severity_gets_the_longer_target() -> None:
    """The target counts from the same create date."""
    facts = [a_fact("reclassified", 10, severity="standard"), a_fact("responded", 45)]
    assert outcome_of(a_request(**CRITICAL), facts) == "kept"


def test_copies_are_one_document() -> None:
    """A repeated document is counted, but evaluated once."""
    sent = SentMessages()
    for _ in range(2):
        sent.add(a_request())
        sent.add(a_fact("responded", 5))
    assert len(sent.documents) == 2
    assert sent.doubles == 2
    assert dict(sent.outcomes([])) == {a_request().ticket_id: "kept"}


def an_action(kind: str, minutes: float, what: str | None = None) -> RecordedAction:
    """Make an action of Mara so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    return RecordedAction(a_request().ticket_id, kind, "mara", at, what)


@pytest.mark.parametrize(
    ("changes", "actions", "outcome"),
    [
        ({}, [an_action("respond", 60)], "kept"),
        ({}, [an_action("respond", 61)], "breached"),
        (
            {},
            [an_action("accept", 1), an_action("hand_back", 2), an_action("confirm", 3)],
            "breached",
        ),
        (CRITICAL, [an_action("reclassify", 40, "standard"), an_action("respond", 45)], "kept"),
        ({"body": ""}, [an_action("reclassify", 5, "business_critical")], "breached"),
        ({"channel": "phone"}, [an_action("dial", 1, "busy")], "missed"),
        (
            {"channel": "phone"},
            [an_action("dial", 1, "busy"), an_action("dial", 4, "answered")],
            "kept",
        ),
    ],
)
def test_actions_of_people_count_like_facts(
    changes: dict[str, Any], actions: list[RecordedAction], outcome: PromiseOutcome
) -> None:
    """An answer, a call and a reclassification each count at their own time."""
    sent = SentMessages()
    sent.add(a_request(**changes))
    assert dict(sent.outcomes(actions)) == {a_request().ticket_id: outcome}
