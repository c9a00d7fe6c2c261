"""CloudEvents written by the CloudEvents SDK for Python, by HTTP and Kafka, in every mode."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import pytest
from cloudevents.core.bindings import http as by_http
from cloudevents.core.bindings import kafka as by_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from httpx import Response
from tests.integration.intake.conftest import REQUEST, Intake
from tests.integration.intake.intake_process import TOPICS, consuming

from shared.events import AccountListed
from shared.platform.publisher import Outgoing
from shared.testing.builders import NOON, an_account
from shared.testing.topics import Topics

BATCHED: Final = "application/cloudevents-batch+json"
STRUCTURED: Final = "application/cloudevents+json"
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FACT: Final = {
    "source": "app-form",
    "external_id": "A-1",
    "type": "customer_replied",
    "occurred_at": "2026-03-02T11:30:00Z",
}
TRACES: Final = "SELECT headers FROM outbox WHERE topic = 'tickets.v1'"


def event(data: object, **attributes: object) -> CloudEvent:
    """Make an event with the SDK, which adds an id and a time."""
    plain = {"source": "/form", "type": "com.example.asked", "datacontenttype": "application/json"}
    return CloudEvent({**plain, **attributes}, data)  # type: ignore[arg-type]


async def binary(intake: Intake, *events: CloudEvent) -> Response:
    """Post an event in binary mode."""
    message = by_http.to_binary(events[0], JSONFormat())
    return await post(intake, message.body, message.headers)


async def structured(intake: Intake, *events: CloudEvent) -> Response:
    """Post an event in structured mode."""
    message = by_http.to_structured(events[0], JSONFormat())
    return await post(intake, message.body, message.headers)


async def batched(intake: Intake, *events: CloudEvent) -> Response:
    """Post events in batched mode, which the SDK does not support itself."""
    body = b"[%s]" % b",".join(by_http.to_structured(one, JSONFormat()).body for one in events)
    return await post(intake, body, {"content-type": BATCHED})


async def post(intake: Intake, body: bytes, headers: Mapping[str, str]) -> Response:
    """Post to the endpoint for CloudEvents."""
    return await intake.client.post("/v1/cloudevents", content=body, headers=dict(headers))


ALONE: Final = {"binary": binary, "structured": structured}
ANY: Final = {**ALONE, "batched": batched}


@pytest.mark.parametrize("mode", ALONE)
async def test_a_single_event_is_answered_with_its_receipt(intake: Intake, mode: str) -> None:
    """202 for a ticket, 200 for a duplicate, as by the endpoints for plain documents."""
    first, again = [await ALONE[mode](intake, event(REQUEST)) for _ in range(2)]
    assert (first.status_code, first.json()["outcome"]) == (202, "accepted")
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")


async def test_each_event_of_a_batch_is_answered(intake: Intake) -> None:
    """By position; an invalid one does not affect the others."""
    bad = event({**REQUEST, "external_id": "A-2", "channel": "pigeon"})
    answer = await batched(intake, event(REQUEST), bad, event(FACT))
    assert answer.status_code == 200
    answers = answer.json()["answers"]
    assert [one["receipt"] and one["receipt"]["outcome"] for one in answers] == [
        "accepted",
        None,
        "accepted",
    ]
    assert "channel" in answers[1]["fault"]


@pytest.mark.parametrize("mode", ALONE)
async def test_an_invalid_event_is_refused(intake: Intake, mode: str) -> None:
    """422 names the field, because SDKs treat 2xx as accepted; nothing is saved."""
    answer = await ALONE[mode](intake, event({**REQUEST, "channel": "pigeon"}))
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["field"].endswith("channel")
    assert await intake.announced("receipts.v1") == []


@pytest.mark.parametrize("mode", ALONE)
async def test_a_request_that_is_not_entitled_is_answered_with_200(
    intake: Intake, mode: str
) -> None:
    """Its receipt has the reason; sending it again would not change it."""
    answer = await ALONE[mode](intake, event({**REQUEST, "asked_in": "mobile_app"}))
    assert (answer.status_code, answer.json()["reason"]) == (200, "mobile_app")


@pytest.mark.parametrize("mode", ANY)
async def test_an_event_is_identified_by_source_and_id(intake: Intake, mode: str) -> None:
    """The same id of two sources is two events; the same id of one source is a duplicate."""
    outcomes = []
    for source, event_id, minute in (("/a", "1", 30), ("/b", "1", 31), ("/a", "1", 30)):
        fact = {**FACT, "occurred_at": f"2026-03-02T11:{minute}:00Z"}
        answer = await ANY[mode](intake, event(fact, source=source, id=event_id))
        body = answer.json()
        receipt = body["answers"][0]["receipt"] if mode == "batched" else body
        outcomes.append(receipt["outcome"])
    assert outcomes == ["accepted", "accepted", "duplicate"]


async def test_a_copy_in_another_mode_is_a_duplicate(intake: Intake, topics: Topics) -> None:
    """By HTTP or Kafka, in any mode, the same event is accepted once."""
    await topics.create(*TOPICS, partitions=1)
    one = event(FACT, id="1")
    assert (await structured(intake, one)).json()["outcome"] == "accepted"
    assert (await binary(intake, one)).json()["outcome"] == "duplicate"
    async with consuming(intake.db, topics):
        for write in (by_kafka.to_binary, by_kafka.to_structured):
            await send(topics, "inbound.v1", write(one, JSONFormat()))
        receipts = await topics.wait_for("receipts.v1", 3)
    outcomes = [json.loads(record.value or b"")["outcome"] for record in receipts]
    assert outcomes == ["accepted", "duplicate", "duplicate"]


@pytest.mark.parametrize("mode", ["structured", "batched"])
async def test_data_may_be_base64(intake: Intake, mode: str) -> None:
    """The SDK encodes all bytes in this way."""
    one = event(json.dumps(REQUEST).encode(), datacontenttype="application/octet-stream")
    assert b"data_base64" in by_http.to_structured(one, JSONFormat()).body
    answer = (await ANY[mode](intake, one)).json()
    receipt = answer["answers"][0]["receipt"] if mode == "batched" else answer
    assert receipt["outcome"] == "accepted"


@pytest.mark.parametrize("mode", ANY)
async def test_the_trace_of_an_event_is_kept(intake: Intake, mode: str) -> None:
    """The event's own trace (an extension attribute) is used, not that of the HTTP request."""
    await ANY[mode](intake, event(REQUEST, traceparent=TRACE, tracestate="vendor=1"))
    async with intake.db.session() as session:
        [headers] = [json.loads(row["headers"]) for row in await session.fetch(TRACES)]
    assert dict(headers)["traceparent"] == TRACE
    assert dict(headers)["tracestate"] == "vendor=1"


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type"])
async def test_a_required_attribute_is_required(intake: Intake, missing: str) -> None:
    """A single event without it gets 400 in any mode; in a batch the other events are accepted."""
    complete = {"specversion": "1.0", "id": "1", "source": "/form", "type": "t"}
    incomplete = {name: text for name, text in complete.items() if name != missing}
    alone = await post(
        intake, json.dumps({**incomplete, "data": FACT}).encode(), {"content-type": STRUCTURED}
    )
    headers = {f"ce-{name}": text for name, text in incomplete.items()}
    in_headers = await post(
        intake, json.dumps(FACT).encode(), {"content-type": "application/json", **headers}
    )
    for answer in (alone, in_headers):
        assert answer.status_code == 400, answer.text
        assert missing in answer.json()["detail"]
    events = [{**incomplete, "data": FACT}, {**complete, "data": FACT}]
    batch = await post(intake, json.dumps(events).encode(), {"content-type": BATCHED})
    refused, accepted = batch.json()["answers"]
    assert missing in refused["fault"]
    assert accepted["receipt"]["outcome"] == "accepted"


async def test_account_records_may_have_any_event_id(intake: Intake, topics: Topics) -> None:
    """On accounts.v1 any id that is not empty is accepted, and the time is optional.

    The same id of another source is another event; both modes are accepted.
    """
    await topics.create(*TOPICS, partitions=1)
    names = ("southwind", "eastwind", "westwind")
    sent = [
        (names[0], "/billing", "7", by_kafka.to_binary),
        (names[1], "/crm", "7", by_kafka.to_binary),
        (names[2], "/crm", str(uuid4()), by_kafka.to_structured),
    ]
    for name, source, event_id, write in sent:
        account = an_account(account_id=name).model_dump(mode="json")
        attributes = {"type": AccountListed.type, "source": source, "id": event_id}
        message = write(event(account, **attributes), JSONFormat())
        message.headers.pop("ce_time", None)
        await send(topics, "accounts.v1", message)
    async with consuming(intake.db, topics):
        for name in names:
            document = {**REQUEST, "external_id": name, "account_id": name}
            await topics.send([Outgoing("inbound.v1", b"k", json.dumps(document).encode(), [])])
        receipts = await topics.wait_for("receipts.v1", 3)
    reasons = {
        r["external_id"]: r["reason"] for r in (json.loads(x.value or b"") for x in receipts)
    }
    assert set(reasons) == set(names)
    assert "unknown_account" not in reasons.values()


async def test_our_events_can_be_read_with_the_sdk(intake: Intake, topics: Topics) -> None:
    """They have an absolute source, the key as partitionkey, and a data schema."""
    await topics.create(*TOPICS, partitions=1)
    async with consuming(intake.db, topics):
        receipt = await intake.post_request()
        [fact] = await topics.wait_for("tickets.v1", 1)
    headers = {name: value for name, value in fact.headers if value is not None}
    message = by_kafka.KafkaMessage(headers=headers, key=fact.key, value=fact.value or b"")
    read = by_kafka.from_kafka(message, JSONFormat(), CloudEvent)
    assert read.get_source() == "urn:premium-support:intake"
    assert read.get_dataschema() == f"urn:premium-support:schema:{read.get_type()}"
    assert read.get_extension("partitionkey") == receipt["ticket_id"] == (fact.key or b"").decode()
    assert read.get_time() == datetime(2026, 3, 2, 12, tzinfo=UTC) == NOON


async def send(topics: Topics, topic: str, message: by_kafka.KafkaMessage) -> None:
    """Send a record made by the SDK."""
    key = message.key.encode() if isinstance(message.key, str) else message.key
    await topics.send([Outgoing(topic, key, message.value, list(message.headers.items()))])
