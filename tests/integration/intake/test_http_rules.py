"""Intake's door keeps to HTTP's own rules, as clients that were made for others rely on them."""

import json
from typing import Final

import pytest
from tests.integration.intake.conftest import REQUEST, Intake
from tests.integration.intake.intake_process import serving

from shared.testing.databases import FreshDatabase

SPACED: Final = json.dumps(REQUEST, indent=4)
TURNED: Final = json.dumps(dict(reversed(REQUEST.items())), separators=(",", ":"))
JSON: Final = {"content-type": "application/json"}
ORIGIN: Final = {"webhook-request-origin": "eventgrid.example", "webhook-request-rate": "120"}


@pytest.mark.parametrize("body", [SPACED, TURNED], ids=["white_space", "order_of_members"])
async def test_json_that_says_the_same_is_the_same_body(intake: Intake, body: str) -> None:
    """Under one Idempotency-Key it gets the same answer, byte for byte."""
    key = {"idempotency-key": '"k-1"'}
    first = await intake.client.post("/v1/tickets", json=REQUEST, headers=key)
    again = await intake.client.post("/v1/tickets", content=body, headers=JSON | key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]


async def test_another_event_is_no_copy_though_its_data_are_equal(intake: Intake) -> None:
    """In binary mode an event's attributes are headers; they are part of what is said."""
    fact = {"source": "app-form", "external_id": "A-1", "type": "customer_replied"}
    body = json.dumps({**fact, "occurred_at": "2026-03-02T12:00:00Z"})
    answers = []
    for event_id in ("1", "2"):
        event = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/x", "ce-type": "t"}
        headers = {**JSON, **event, "idempotency-key": "k-1"}
        answers.append(await intake.client.post("/v1/cloudevents", content=body, headers=headers))
    assert [answer.status_code for answer in answers] == [202, 422]


@pytest.mark.parametrize(
    ("one", "other"), [('"k-1"', "k-1"), (r'"a\"b"', r'"a\"b"'), ('"a b"', '"a b"')]
)
async def test_an_idempotency_key_is_a_structured_string(
    intake: Intake, one: str, other: str
) -> None:
    """RFC 9651: quotes and escapes are how it is written, not what it is."""
    for key, external_id in ((one, "A-1"), (other, "A-2")):
        body = {**REQUEST, "external_id": external_id}
        answer = await intake.client.post(
            "/v1/tickets", json=body, headers={"idempotency-key": key}
        )
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ['"k', 'k"', '"a"b"', r'"a\b"', '""', '"k";x=1'])
async def test_a_key_that_is_no_string_is_refused(intake: Intake, key: str) -> None:
    """The header is named, and nothing is taken."""
    headers = {"idempotency-key": key}
    answer = await intake.client.post("/v1/tickets", json=REQUEST, headers=headers)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert await intake.said("tickets.v1") == []


async def test_what_is_taken_says_where_to_read_what_becomes_of_it(intake: Intake) -> None:
    """202 has a Location (RFC 9110, 15.3.3), of any name a sender may give."""
    body = {**REQUEST, "external_id": "A/1 ü?"}
    answer = await intake.client.post("/v1/tickets", json=body)
    assert answer.status_code == 202
    read = await intake.client.get(answer.headers["location"])
    assert read.json() == answer.json()


@pytest.mark.parametrize("place", ["/v1/cloudevents", "/v1/webhooks/signed/helpdesk"])
async def test_a_sender_of_events_is_told_that_it_is_welcome(intake: Intake, place: str) -> None:
    """CloudEvents HTTP Webhooks, the handshake by OPTIONS; it needs no key, as it delivers none."""
    answer = await intake.client.options(place, headers={"authorization": "", **ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.example"
    assert answer.headers["webhook-allowed-rate"] == "*"


async def test_where_no_events_are_taken_no_sender_is_welcome(intake: Intake) -> None:
    """Another door says only what can be asked there."""
    answer = await intake.client.options("/v1/tickets", headers=ORIGIN)
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert "webhook-allowed-origin" not in answer.headers


async def test_head_is_answered_as_it_runs(intake: Intake, fresh: FreshDatabase) -> None:
    """The same fields as GET, nothing after them, and the connection goes on."""
    async with serving(intake, fresh) as client:
        place = (await client.post("/v1/tickets", json=REQUEST)).headers["location"]
        head, got = await client.head(place), await client.get(place)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
