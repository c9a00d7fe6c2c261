"""Intake's rules: the promises of a request, and what a business-critical claim needs."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from intake.domain import Acceptance, Entitled, NumberKeys, Version, entitlement, event_of
from intake.domain import accept as accept_by
from intake.handlers import decode
from shared.basics.errors import Poison
from shared.events import (
    INBOUND,
    Envelope,
    LanguageDecision,
    LaterFact,
    PolicyPublished,
    SupportRequest,
)
from shared.events.codec import Record, describe, headers_of, value_of
from shared.events.requests import FactType
from shared.sla.policies import default_policy
from shared.testing.builders import an_account

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REQUEST: dict[str, Any] = {
    "source": "app-form",
    "external_id": "A-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "role": "super_admin",
    "channel": "email",
    "severity": "business_critical",
    "language": "en",
    "subject": "Login",
    "body": "Nobody in our company can log in",
    "occurred_at": "2026-03-02T12:00:00Z",
}


def request(**changes: object) -> SupportRequest:
    """Make a valid request with changes."""
    return SupportRequest.model_validate({**REQUEST, **changes})


def accept(asked: SupportRequest) -> Acceptance:
    """Accept a request with the built-in policy, a minute after its create date."""
    entitled = entitlement(asked, [Version(NOON, an_account())])
    assert isinstance(entitled, Entitled)
    language = LanguageDecision(language="en", by="sender")
    now = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
    return accept_by(asked, entitled, language, default_policy(), now=now, keys=NumberKeys("x"))


def test_a_described_claim_is_business_critical() -> None:
    """Its promise is due 30 min after the create date."""
    acceptance = accept(request())
    assert acceptance.event.severity == "business_critical"
    assert acceptance.event.promises[0].due_at == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        "朝から全社員がログインできません",
        "所有员工都无法登录系统",
        "전 직원이 아침부터 로그인할 수 없습니다",
    ],
)
def test_a_description_counts_in_every_script(body: str) -> None:
    """A description in a language without spaces between words is long enough, too."""
    assert accept(request(body=body)).event.severity == "business_critical"


@pytest.mark.parametrize(
    "changes", [{"body": "help"}, {"body": "至急"}, {"channel": "chat"}, {"channel": "phone"}]
)
def test_a_claim_that_lacks_something_starts_as_standard(changes: dict[str, str]) -> None:
    """The acceptance names what is missing, and still has the claimed severity."""
    acceptance = accept(request(**changes))
    assert acceptance.event.severity == "standard"
    assert acceptance.event.claimed_severity == "business_critical"
    assert len(acceptance.missing) == 1


def test_the_event_has_the_promises_of_the_other_severity() -> None:
    """They run from the same create date: a reclassification needs no policy."""
    event = accept(request()).event
    ((severity, (promise,)),) = event.if_reclassified.items()
    assert (severity, promise.due_at) == ("standard", datetime(2026, 3, 2, 13, tzinfo=UTC))
    assert event.promised("business_critical", NOON) == event.promises
    assert event.promised("standard", NOON) == (promise,)


def test_the_event_names_the_policy_and_rule() -> None:
    """And tier, region and acceptance time."""
    event = accept(request(region="DE-BY", tier="gold")).event
    assert (event.policy, event.rule) == (default_policy().version, "super-admin-critical")
    assert (event.tier, event.region, event.promises[0].region) == ("gold", "DE-BY", "DE-BY")
    assert event.accepted_at == datetime(2026, 3, 2, 12, 1, tzinfo=UTC)


def test_an_event_without_both_prices_is_priced_by_the_built_in_policy() -> None:
    """Older events do not have the promises of the other severity."""
    event = accept(request()).event.model_copy(update={"if_reclassified": {}})
    (promise,) = event.promised("standard", NOON)
    assert promise.due_at == datetime(2026, 3, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize("region", ["Bavaria", "de-by", "DE-BAY", "XX"])
def test_an_unknown_region_is_refused(region: str) -> None:
    """Its holidays would be unknown."""
    with pytest.raises(ValidationError, match="region"):
        request(region=region)


def test_a_policy_is_accepted_on_its_own_topic_only() -> None:
    """One consumer reads both topics; a policy on the topic of documents is poison."""
    policy = default_policy()
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    envelope = Envelope(UUID(int=1), "premium", NOON, event)
    record = Record(event.topic, 0, 0, b"premium", value_of(event), headers_of(envelope))
    assert decode(record) == envelope
    with pytest.raises(Poison):
        decode(replace(record, topic="inbound.v1"))


def test_copies_of_a_request_are_one_document() -> None:
    """Source and external id identify a request, whatever else changes."""
    assert request().document_id == request(subject="Login again").document_id
    assert request().document_id != request(external_id="A-2").document_id


@pytest.mark.parametrize("fact_type", get_args(FactType.__value__))
def test_every_later_fact_has_an_event(fact_type: str) -> None:
    """Every accepted type is published as an event."""
    more = {"reclassified": {"severity": "standard"}, "merged": {"into": "A-1000"}}
    fact = LaterFact.model_validate(
        {
            **pick("source", "external_id", "occurred_at"),
            "type": fact_type,
            **more.get(fact_type, {}),
        }
    )
    assert event_of(fact).ticket_id == request().ticket_id


def pick(*names: str) -> dict[str, Any]:
    """Return some fields of the valid request."""
    return {name: REQUEST[name] for name in names}


def test_every_bad_field_is_named() -> None:
    """All faults are reported together, without the values that were sent."""
    bad = {**REQUEST, "role": "boss", "occurred_at": "2026-03-02T12:00:00", "time_zone": "Mars"}
    with pytest.raises(ValidationError) as caught:
        INBOUND.validate_python({**bad, "colour": "red"})
    description = describe(caught.value)
    for field in ("role", "occurred_at", "time_zone", "colour"):
        assert field in description
    assert "boss" not in description


def test_a_document_that_is_not_json_is_poison() -> None:
    """Its reason is ``bad_json``."""
    with pytest.raises(Poison) as caught:
        decode(Record("inbound.v1", 0, 0, None, b"{", []))
    assert caught.value.reason == "bad_json"
