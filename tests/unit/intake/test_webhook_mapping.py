"""A mapping says which document an event is; what does not fit is named, field by field."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intake.domain.webhook_mapping import Erasure, Ignored, Meaning, Refusal, Taken, meaning_of
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
    """Read an event of HubSpot's."""
    return hubspot.meaning(HUBSPOT.mapping, CREATION | changes)


def moved(**changes: object) -> LaterFact:
    """Read a change of a ticket's property as the fact it is."""
    meaning = of_hubspot(subscriptionType="ticket.propertyChange", **changes)
    assert isinstance(meaning, Taken)
    assert isinstance(meaning.content, LaterFact)
    return meaning.content


def of_helpdesk(event: Any, connection: WebhookConnection = HELPDESK) -> Meaning:  # noqa: ANN401
    """Read an event of the help desk's."""
    return meaning_of(connection.mapping, event, "msg_1")


def test_a_ticket_of_hubspot_is_a_request() -> None:
    """Numbers become text, and milliseconds a time, to the millisecond."""
    assert of_hubspot() == Taken(
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
    """A stage closes, a priority reclassifies by its table."""
    closed = moved(propertyName="hs_pipeline_stage", propertyValue="4")
    urgent = moved(propertyName="hs_ticket_priority", propertyValue="URGENT")
    low = moved(propertyName="hs_ticket_priority", propertyValue="LOW")
    assert [closed.type, urgent.severity, low.severity] == [
        "closed",
        "business_critical",
        "standard",
    ]


def test_a_copy_has_the_same_id() -> None:
    """Whichever attempt, subscription or portal brings it; at another time it is another."""
    stage = {"propertyName": "hs_pipeline_stage", "propertyValue": "4"}
    first = moved(**stage)
    assert moved(**stage, attemptNumber=3).document_id == first.document_id
    for same in ({"subscriptionId": 26}, {"portalId": 34}):
        assert moved(**stage | same).document_id == first.document_id
    later = moved(**stage, occurredAt=1_772_452_800_124)
    assert later.document_id != first.document_id


def test_an_event_of_no_rule_is_ignored() -> None:
    """Another type, another property, or a value of another kind."""
    assert of_hubspot(subscriptionType="contact.creation") == Ignored()
    assert of_hubspot(subscriptionType=["ticket.creation"]) == Ignored()


def test_every_fault_of_an_event_is_named() -> None:
    """What is missing, and what cannot be read, without the sender's own text."""
    meaning = of_hubspot(portalId=None, occurredAt="yesterday", objectId={"id": 1})
    assert isinstance(meaning, Refusal)
    assert meaning.fault == (
        "external_id: $.objectId is no plain value; occurred_at: is no epoch_ms: not a whole "
        "number; account_id: $.portalId is missing; subject: $.objectId is no plain value"
    )


def test_what_is_no_object_is_refused() -> None:
    """Whatever stands in HubSpot's array."""
    events: tuple[object, ...] = (1, "ticket", None, [], True)
    for event in events:
        assert hubspot.meaning(HUBSPOT.mapping, event) == Refusal("event: is no JSON object")


def test_a_help_desk_of_any_make_is_read() -> None:
    """Nested values, a filter, tables, and a local time in the mapping's zone."""
    meaning = of_helpdesk(TICKET)
    assert isinstance(meaning, Taken)
    request = meaning.content
    assert isinstance(request, SupportRequest)
    assert (request.channel, request.severity, request.language) == (
        "phone",
        "business_critical",
        "de",
    )
    assert request.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_what_may_be_absent_may_be_missing() -> None:
    """No language in the event, none in the request; a value outside a table is a fault."""
    ticket = {**TICKET["ticket"], "custom_fields": []}
    meaning = of_helpdesk({**TICKET, "ticket": ticket})
    assert isinstance(meaning, Taken)
    assert isinstance(meaning.content, SupportRequest)
    assert meaning.content.language is None
    odd = of_helpdesk({**TICKET, "ticket": {**ticket, "via": "pigeon"}})
    assert odd == Refusal(
        "channel: {$.ticket.via} is not in its table, which has mail, web, call, chat"
    )


def test_whom_to_erase_is_read() -> None:
    """By a rule of the mapping, or by HubSpot's own events, of whatever object."""
    assert of_helpdesk({"event": "person.deleted", "person": {"id": 5}}) == Erasure("5")
    assert of_helpdesk({"event": "person.deleted"}) == Refusal("erase: $.person.id is missing")
    for kind in ("contact.privacyDeletion", "object.privacyDeletion"):
        assert of_hubspot(subscriptionType=kind) == Erasure("4711")
        assert isinstance(of_hubspot(subscriptionType=kind, objectId=None), Refusal)


def test_times_come_in_many_forms() -> None:
    """Seconds, milliseconds, ISO 8601, and what strptime reads."""
    for form, sent in (
        ("time: epoch_s", 1_772_452_800),
        ("time: epoch_ms", 1_772_452_800_000),
        ("time: iso", "2026-03-02T14:00:00+02:00"),
        ("time: '%d.%m.%Y %H:%M', zone: Europe/Berlin", "02.03.2026 13:00"),
    ):
        meaning = of_helpdesk({"e": "x", "id": 1, "at": sent}, with_time(form))
        assert isinstance(meaning, Taken), meaning
        assert meaning.content.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_time_that_is_none_is_refused() -> None:
    """Also one without a zone, too far away, or of the wrong form."""
    for form, sent in (
        ("time: epoch_s", "9" * 15),
        ("time: epoch_s", "9" * 99),
        ("time: epoch_ms", -1),
        ("time: iso", "2026-03-02T14:00:00"),
        ("time: iso", "soon"),
        ("time: '%d.%m.%Y %z'", "2026"),
    ):
        meaning = of_helpdesk({"e": "x", "id": 1, "at": sent}, with_time(form))
        assert isinstance(meaning, Refusal), meaning
        assert meaning.fault.startswith("occurred_at: ")


def with_time(form: str) -> WebhookConnection:
    """Make a connection whose time is of a form."""
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
