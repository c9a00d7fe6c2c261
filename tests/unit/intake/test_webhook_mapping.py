"""Mapping of webhook events to documents; every field that cannot be mapped is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intake.domain.webhook_mapping import (
    Erasure,
    Ignored,
    InvalidEvent,
    MappedDocument,
    Meaning,
    meaning_of,
)
from intake.webhooks import hubspot
from shared.events import LaterFact, SupportRequest
from shared.webhooks import WebhookConnection, connections_of, load_connections

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
(HUBSPOT,) = load_connections(EXAMPLES / "webhooks-hubspot.yaml")
(HELPDESK,) = load_connections(EXAMPLES / "webhooks-helpdesk.yaml")
CREATION: dict[str, Any] = {
    "eventId": 1,
    "subscriptionId": 25,
    "portalId": 33,
    "objectId": 4711,
    "occurredAt": 1_772_452_800_123,
    "subscriptionType": "ticket.creation",
    "attemptNumber": 0,
    "sourceId": "userId:9",
}
TICKET: dict[str, Any] = {
    "event": "ticket.created",
    "at": "2026-03-02T13:00:00",
    "ticket": {
        "id": 12,
        "organization": {"id": "northwind"},
        "requester": {"id": "ada"},
        "via": "call",
        "priority": "P1",
        "custom_fields": [{"name": "colour", "value": "red"}, {"name": "language", "value": "de"}],
        "title": "Login",
        "text": "Nobody can log in",
    },
}


def of_hubspot(**changes: object) -> Meaning:
    """Map an event of HubSpot, with changes."""
    return hubspot.meaning(HUBSPOT.mapping, CREATION | changes)


def moved(**changes: object) -> LaterFact:
    """Map a change of a ticket's property to a later fact."""
    meaning = of_hubspot(subscriptionType="ticket.propertyChange", **changes)
    assert isinstance(meaning, MappedDocument)
    assert isinstance(meaning.content, LaterFact)
    return meaning.content


def of_helpdesk(event: Any, connection: WebhookConnection = HELPDESK) -> Meaning:  # noqa: ANN401
    """Map an event of the help desk."""
    return meaning_of(connection.mapping, event)


def test_a_ticket_of_hubspot_is_a_request() -> None:
    """Numbers are converted to text, and milliseconds to a time."""
    assert of_hubspot() == MappedDocument(
        SupportRequest(
            source="hubspot",
            external_id="4711",
            account_id="33",
            requester_id="userId:9",
            channel="email",
            language="en",
            subject="HubSpot ticket 4711",
            occurred_at=datetime(2026, 3, 2, 12, 0, 0, 123_000, UTC),
        )
    )


def test_a_later_stage_is_a_later_fact() -> None:
    """A stage closes a ticket; a priority reclassifies it, by the mapping's table."""
    closed = moved(propertyName="hs_pipeline_stage", propertyValue="4")
    urgent = moved(propertyName="hs_ticket_priority", propertyValue="URGENT")
    low = moved(propertyName="hs_ticket_priority", propertyValue="LOW")
    assert [closed.type, urgent.severity, low.severity] == [
        "closed",
        "business_critical",
        "standard",
    ]


def test_a_copy_has_the_same_id() -> None:
    """Attempt, subscription and portal do not matter; another time makes another fact."""
    stage = {"propertyName": "hs_pipeline_stage", "propertyValue": "4"}
    first = moved(**stage)
    assert moved(**stage, attemptNumber=3).document_id == first.document_id
    for same in ({"subscriptionId": 26}, {"portalId": 34}):
        assert moved(**stage | same).document_id == first.document_id
    later = moved(**stage, occurredAt=1_772_452_800_124)
    assert later.document_id != first.document_id


def test_an_event_of_no_rule_is_ignored() -> None:
    """Another type, another property, or a value of another JSON type."""
    assert of_hubspot(subscriptionType="contact.creation") == Ignored()
    assert of_hubspot(subscriptionType=["ticket.creation"]) == Ignored()


def test_every_fault_of_an_event_is_named() -> None:
    """Missing and invalid values are named, without the sender's own text."""
    meaning = of_hubspot(portalId=None, occurredAt="yesterday", objectId={"id": 1})
    assert isinstance(meaning, InvalidEvent)
    assert meaning.fault == (
        "external_id: $.objectId is no plain value; occurred_at: is no epoch_ms: not a whole "
        "number; account_id: $.portalId is missing; subject: $.objectId is no plain value"
    )


def test_an_event_that_is_no_object_is_refused() -> None:
    """An element of HubSpot's array may be any JSON value."""
    events: tuple[object, ...] = (1, "ticket", None, [], True)
    for event in events:
        assert hubspot.meaning(HUBSPOT.mapping, event) == InvalidEvent(
            "event: is not a JSON object"
        )


def test_a_help_desk_of_any_make_is_read() -> None:
    """A mapping may have nested values, a filter, tables, and a local time in its zone."""
    meaning = of_helpdesk(TICKET)
    assert isinstance(meaning, MappedDocument)
    request = meaning.content
    assert isinstance(request, SupportRequest)
    assert (request.channel, request.severity, request.language) == (
        "phone",
        "business_critical",
        "de",
    )
    assert request.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_an_optional_value_may_be_missing() -> None:
    """An event without a language makes a request without one; an unknown value is a fault."""
    ticket = {**TICKET["ticket"], "custom_fields": []}
    meaning = of_helpdesk({**TICKET, "ticket": ticket})
    assert isinstance(meaning, MappedDocument)
    assert isinstance(meaning.content, SupportRequest)
    assert meaning.content.language is None
    odd = of_helpdesk({**TICKET, "ticket": {**ticket, "via": "pigeon"}})
    assert odd == InvalidEvent(
        "channel: {$.ticket.via} is not in its table, which has mail, web, call, chat"
    )


def test_an_erasure_is_mapped() -> None:
    """By a rule of the mapping, or by HubSpot's privacy deletion of any object."""
    assert of_helpdesk({"event": "person.deleted", "person": {"id": 5}}) == Erasure("5")
    assert of_helpdesk({"event": "person.deleted"}) == InvalidEvent("erase: $.person.id is missing")
    for kind in ("contact.privacyDeletion", "object.privacyDeletion"):
        assert of_hubspot(subscriptionType=kind) == Erasure("4711")
        assert isinstance(of_hubspot(subscriptionType=kind, objectId=None), InvalidEvent)


def test_times_may_have_many_formats() -> None:
    """Seconds, milliseconds, ISO 8601, or a format of strptime."""
    for form, sent in (
        ("time: epoch_s", 1_772_452_800),
        ("time: epoch_ms", 1_772_452_800_000),
        ("time: iso", "2026-03-02T14:00:00+02:00"),
        ("time: '%d.%m.%Y %H:%M', zone: Europe/Berlin", "02.03.2026 13:00"),
    ):
        meaning = of_helpdesk({"e": "x", "id": 1, "at": sent}, with_time(form))
        assert isinstance(meaning, MappedDocument), meaning
        assert meaning.content.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_an_invalid_time_is_refused() -> None:
    """Also one without a zone, out of range, or in another format."""
    for form, sent in (
        ("time: epoch_s", "9" * 15),
        ("time: epoch_s", "9" * 99),
        ("time: epoch_ms", -1),
        ("time: iso", "2026-03-02T14:00:00"),
        ("time: iso", "soon"),
        ("time: '%d.%m.%Y %z'", "2026"),
    ):
        meaning = of_helpdesk({"e": "x", "id": 1, "at": sent}, with_time(form))
        assert isinstance(meaning, InvalidEvent), meaning
        assert meaning.fault.startswith("occurred_at: ")


def with_time(form: str) -> WebhookConnection:
    """Make a connection whose time has this format."""
    text = f"""
connections:
  - name: a
    kind: signed
    secrets: [s]
    mapping:
      source: a
      ticket: "{{$.id}}"
      occurred_at: {{from: "{{$.at}}", {form}}}
      rules: [{{when: {{$.e: x}}, fact: {{type: closed}}}}]
"""
    (made,) = connections_of(text, "a.yaml")
    return made
