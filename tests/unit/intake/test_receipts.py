"""What a receipt contains: what was promised and from when to when, or what would help."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from intake.domain import Entitled, NumberKeys, Version, entitlement
from intake.domain import accept as accept_by
from intake.domain.receipts import (
    accepted,
    duplicate,
    erased,
    held,
    rejected,
    retryable,
    unreadable,
)
from shared.events import LanguageDecision, ReceiptSpan, Refusal, SupportRequest, ticket_id_of
from shared.sla.policies import default_policy
from shared.testing.builders import an_account

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOGIN: Final = "None of our employees can log in"


def request(severity: str = "standard") -> SupportRequest:
    """Make a request of noon, by email."""
    return SupportRequest.model_validate(
        {
            "source": "app-form",
            "external_id": "A-1",
            "account_id": "northwind",
            "requester_id": "ada",
            "role": "super_admin",
            "channel": "email",
            "severity": severity,
            "language": "en",
            "subject": "Login",
            "body": LOGIN,
            "occurred_at": NOON,
        }
    )


@pytest.mark.parametrize(("severity", "minutes"), [("standard", 60), ("business_critical", 30)])
def test_a_receipt_names_the_promise_and_the_time_that_counts(severity: str, minutes: int) -> None:
    """The time until it is due, as the spans in which the clock runs."""
    asked = request(severity)
    entitled = entitlement(asked, [Version(NOON, an_account())])
    assert isinstance(entitled, Entitled)
    language = LanguageDecision(language="en", by="sender")
    acceptance = accept_by(
        asked, entitled, language, default_policy(), now=NOON, keys=NumberKeys("x")
    )
    receipt = accepted(asked, acceptance)
    [promise] = receipt.promises
    due_at = NOON + timedelta(minutes=minutes)
    assert (promise.target_s, promise.due_at) == (60 * minutes, due_at)
    assert promise.spans == (ReceiptSpan(since=NOON, until=due_at),)
    assert (receipt.number, receipt.outcome) == (None, "accepted")
    assert (receipt.reading is None) == (severity == "standard")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("mobile_app", False),
        ("unknown_account", True),
        ("not_bought", True),
        ("not_yet_valid", True),
        ("expired", True),
        ("no_seat", True),
    ],
)
def test_a_late_entitlement_helps_but_for_the_mobile_app(reason: Refusal, expected: bool) -> None:
    """No account can buy Premium Support for the mobile app."""
    assert retryable(rejected(request(), reason)) is expected


def test_a_late_entitlement_does_not_help_a_faulty_document() -> None:
    """It has to be corrected and sent again."""
    receipt = unreadable("app-form", "A-1", "subject: is missing")
    assert not retryable(receipt)
    assert (receipt.document, receipt.remedy) == ("unread", "subject: is missing")
    assert receipt.ticket_id == ticket_id_of("app-form", "A-1")


def test_a_duplicate_with_the_same_content_repeats_the_first_receipt() -> None:
    """With other content, it also states the reason and the remedy."""
    first = held(request(), NOON)
    same, other = duplicate(first, same=True), duplicate(first, same=False)
    assert (same.outcome, same.duplicate_of, same.reason) == ("duplicate", "held", first.reason)
    assert (other.outcome, other.duplicate_of) == ("duplicate", "held")
    assert other.reason == "other_content"
    assert other.remedy != first.remedy


def test_an_erased_request_is_held_no_longer() -> None:
    """Its receipt is the final one."""
    final = erased(held(request(), NOON))
    assert (final.outcome, final.reason, final.held_until) == ("rejected", "erased", None)
    assert not retryable(final)
