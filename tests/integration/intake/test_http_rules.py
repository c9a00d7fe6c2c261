"""Intake's API follows the standards of HTTP on which clients rely."""

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
async def test_equal_json_is_the_same_body(intake: Intake, body: str) -> None:
    """In another layout, with the same Idempotency-Key, it gets the same response byte for byte."""
    key = {"idempotency-key": '"k-1"'}
    first = await intake.client.post("/v1/tickets", json=REQUEST, headers=key)
    again = await intake.client.post("/v1/tickets", content=body, headers=JSON | key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]


async def test_another_event_with_equal_data_is_another_body(intake: Intake) -> None:
    """In binary mode an event's attributes are headers; they are part of the content."""
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
    """RFC 9651: quotes and escapes are notation, not part of the key."""
    for key, external_id in ((one, "A-1"), (other, "A-2")):
        body = {**REQUEST, "external_id": external_id}
        answer = await intake.client.post(
            "/v1/tickets", json=body, headers={"idempotency-key": key}
        )
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ['"k', 'k"', '"a"b"', r'"a\b"', '""', '"k";x=1'])
async def test_a_key_that_is_no_string_is_refused(intake: Intake, key: str) -> None:
    """The error names the header, and nothing is accepted."""
    headers = {"idempotency-key": key}
    answer = await intake.client.post("/v1/tickets", json=REQUEST, headers=headers)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert await intake.announced("tickets.v1") == []


async def test_a_202_response_has_the_location_of_the_receipt(intake: Intake) -> None:
    """As in RFC 9110, 15.3.3, for an external id with any characters."""
    body = {**REQUEST, "external_id": "A/1 ü?"}
    answer = await intake.client.post("/v1/tickets", json=body)
    assert answer.status_code == 202
    read = await intake.client.get(answer.headers["location"])
    assert read.json() == answer.json()


@pytest.mark.parametrize("place", ["/v1/cloudevents", "/v1/webhooks/signed/helpdesk"])
async def test_a_sender_of_events_may_validate_the_endpoint(intake: Intake, place: str) -> None:
    """The handshake of CloudEvents HTTP Webhooks, by OPTIONS; it needs no API key."""
    answer = await intake.client.options(place, headers={"authorization": "", **ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.example"
    assert answer.headers["webhook-allowed-rate"] == "*"


async def test_other_endpoints_do_not_answer_the_handshake(intake: Intake) -> None:
    """An endpoint that accepts no events only lists its methods."""
    answer = await intake.client.options("/v1/tickets", headers=ORIGIN)
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert "webhook-allowed-origin" not in answer.headers


async def test_head_is_answered_by_a_running_server(intake: Intake, fresh: FreshDatabase) -> None:
    """HEAD has the headers of GET and no body, and the connection stays usable."""
    async with serving(intake, fresh) as client:
        place = (await client.post("/v1/tickets", json=REQUEST)).headers["location"]
        head, got = await client.head(place), await client.get(place)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
