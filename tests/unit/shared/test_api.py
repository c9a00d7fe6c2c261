"""How all HTTP APIs refuse invalid requests, and declare the refusals in OpenAPI."""

from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from docs.services import app_of
from shared.platform.api import make_api

UNKEYED = {"401", "403", "429"}
UNREAD = {"400", "408", "413", "415"}


class Body(BaseModel):
    """A request body."""

    reason: str


async def test_a_405_lists_the_allowed_methods() -> None:
    """A 405 response lists the allowed methods (RFC 9110, 15.5.6)."""
    async with client_of_a_small_api() as client:
        answer = await client.delete("/v1/items")
        both = await client.delete("/v1/both/ways")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (both.status_code, both.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


async def test_a_body_that_is_not_utf_8_is_refused() -> None:
    """It gets 400 like every unreadable body, although FastAPI answers it differently."""
    async with client_of_a_small_api() as client:
        answer = await client.post(
            "/v1/notes",
            content=b'{"reason": "\xff"}',
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1"],
)
async def test_a_body_of_another_media_type_is_refused_as_that(kind: str) -> None:
    """415, with the accepted media type (RFC 9110, 15.5.16)."""
    async with client_of_a_small_api() as client:
        body, headers = b'{"reason": "x"}', {"content-type": kind} if kind else {}
        answer = await client.post("/v1/notes", content=body, headers=headers)
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert "send `content-type: application/json`" in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind",
    ["application/json", 'Application/JSON; charset="UTF-8"', "application/vnd.example+json"],
)
async def test_every_json_media_type_is_accepted(kind: str) -> None:
    """Case and parameters of the media type do not matter."""
    async with client_of_a_small_api() as client:
        headers = {"content-type": kind}
        answer = await client.post("/v1/notes", content=b'{"reason": "x"}', headers=headers)
    assert answer.status_code == 200, answer.text


async def test_a_compressed_body_is_refused_as_that() -> None:
    """415, with the accepted content coding."""
    async with client_of_a_small_api() as client:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await client.post("/v1/notes", content=b"\x1f\x8b", headers=headers)
        plain = await client.post(
            "/v1/notes", json={"reason": "x"}, headers={"content-encoding": "identity"}
        )
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert plain.status_code == 200


@pytest.mark.parametrize("place", ["/v1/items", "/v1/both/ways", "/openapi.json", "/docs"])
async def test_head_works_wherever_get_does(place: str) -> None:
    """HEAD returns the status and header fields of GET, without content."""
    async with client_of_a_small_api() as client:
        got, head = await client.get(place), await client.head(place)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers


async def test_options_lists_the_methods() -> None:
    """OPTIONS lists the methods of a path; an unknown path is a 404."""
    async with client_of_a_small_api() as client:
        there = await client.options("/v1/both/ways")
        nowhere = await client.options("/v1/nowhere")
    assert (there.status_code, there.headers["allow"]) == (200, "GET, HEAD, OPTIONS, PUT")
    assert nowhere.status_code == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [('{"reason": a}', "line 1, column 12"), ('{"reason":\n  a}', "line 2, column 3")],
)
async def test_invalid_json_is_reported_with_its_position(body: str, place: str) -> None:
    """The fault has line and column, the reason and the remedy."""
    headers = {"content-type": "application/json"}
    async with client_of_a_small_api() as client:
        answer = await client.post("/v1/notes", content=body, headers=headers)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (400, "body")
    assert error["fault"].startswith(f"is not JSON at {place}: ")
    assert error["fault"].endswith("; send one JSON document")


@pytest.mark.parametrize("service", ["intake", "router", "sla-monitor", "notifier"])
def test_every_refusal_is_declared(service: str) -> None:
    """OpenAPI declares the refusals of keyed operations, and those of operations with a body."""
    lacking = [
        (operation["operationId"], missing)
        for operation in operations(service)
        if (missing := possible_statuses(operation) - operation["responses"].keys())
    ]
    assert lacking == []


def client_of_a_small_api() -> AsyncClient:
    """Make a client of an API with a read and a write operation that need no key."""
    app = make_api("intake", [])

    @app.get("/v1/items")
    async def read() -> list[str]:
        return []

    @app.post("/v1/notes")
    async def write(_: Body) -> None:
        pass

    @app.get("/v1/both/{which}")
    async def read_one(which: str) -> str:
        return which

    @app.put("/v1/both/{which}")
    async def write_one(which: str) -> str:
        return which

    return AsyncClient(transport=ASGITransport(app), base_url="http://test")


def possible_statuses(operation: dict[str, Any]) -> set[str]:
    """Return the statuses that an operation can answer with."""
    return (UNKEYED if {"HTTPBearer": []} in operation["security"] else set()) | (
        UNREAD if "requestBody" in operation else set()
    )


def operations(service: str) -> list[dict[str, Any]]:
    """List a service's operations."""
    paths = app_of(service).openapi()["paths"]
    return [operation for path in paths.values() for operation in path.values()]
