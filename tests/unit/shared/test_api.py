"""What the doors of all services answer when a request is not to their liking, and say of it."""

from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from docs.services import app_of
from shared.platform.api import make_api

UNKEYED = {"401", "403", "429"}
UNREAD = {"400", "408", "413", "415"}


class Word(BaseModel):
    """What can be written."""

    reason: str


async def test_what_is_not_allowed_is_told_what_is() -> None:
    """405 names the methods there are (RFC 9110, 15.5.6)."""
    async with knocking() as client:
        answer = await client.delete("/v1/words")
        both = await client.delete("/v1/both/ways")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (both.status_code, both.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


async def test_a_body_that_is_no_utf_8_is_named_as_the_fault() -> None:
    """400, told as every unreadable body is, though FastAPI answers this one otherwise."""
    async with knocking() as client:
        answer = await client.post(
            "/v1/said",
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
    """415, with the one that is taken (RFC 9110, 15.5.16)."""
    async with knocking() as client:
        body, headers = b'{"reason": "x"}', {"content-type": kind} if kind else {}
        answer = await client.post("/v1/said", content=body, headers=headers)
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert "send `content-type: application/json`" in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind",
    ["application/json", 'Application/JSON; charset="UTF-8"', "application/vnd.example+json"],
)
async def test_json_by_any_of_its_names_is_taken(kind: str) -> None:
    """Small letters and parameters make no difference."""
    async with knocking() as client:
        headers = {"content-type": kind}
        answer = await client.post("/v1/said", content=b'{"reason": "x"}', headers=headers)
    assert answer.status_code == 200, answer.text


async def test_a_compressed_body_is_refused_as_that() -> None:
    """415, with the coding that is taken."""
    async with knocking() as client:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await client.post("/v1/said", content=b"\x1f\x8b", headers=headers)
        plain = await client.post(
            "/v1/said", json={"reason": "x"}, headers={"content-encoding": "identity"}
        )
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert plain.status_code == 200


@pytest.mark.parametrize("place", ["/v1/words", "/v1/both/ways", "/openapi.json", "/docs"])
async def test_head_is_where_get_is(place: str) -> None:
    """The same status and fields, and no content."""
    async with knocking() as client:
        got, head = await client.get(place), await client.head(place)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers


async def test_options_names_what_can_be_asked() -> None:
    """Of what is at no path, nothing."""
    async with knocking() as client:
        there = await client.options("/v1/both/ways")
        nowhere = await client.options("/v1/nowhere")
    assert (there.status_code, there.headers["allow"]) == (200, "GET, HEAD, OPTIONS, PUT")
    assert nowhere.status_code == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [('{"reason": a}', "line 1, column 12"), ('{"reason":\n  a}', "line 2, column 3")],
)
async def test_broken_json_is_named_with_its_place(body: str, place: str) -> None:
    """Line and column, as editors count them, what is wrong there, and the remedy."""
    headers = {"content-type": "application/json"}
    async with knocking() as client:
        answer = await client.post("/v1/said", content=body, headers=headers)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (400, "body")
    assert error["fault"].startswith(f"is not JSON at {place}: ")
    assert error["fault"].endswith("; send one JSON document")


@pytest.mark.parametrize("service", ["intake", "router", "sla-monitor", "notifier"])
def test_every_refusal_is_declared(service: str) -> None:
    """What needs a key says how it refuses one; what has a body, how that can be refused."""
    lacking = [
        (operation["operationId"], missing)
        for operation in operations(service)
        if (missing := due(operation) - operation["responses"].keys())
    ]
    assert lacking == []


def knocking() -> AsyncClient:
    """Ask an API that has a way to read and a way to write, and asks for no key."""
    app = make_api("intake", [])

    @app.get("/v1/words")
    async def read() -> list[str]:
        return []

    @app.post("/v1/said")
    async def write(_: Word) -> None:
        pass

    @app.get("/v1/both/{which}")
    async def read_one(which: str) -> str:
        return which

    @app.put("/v1/both/{which}")
    async def write_one(which: str) -> str:
        return which

    return AsyncClient(transport=ASGITransport(app), base_url="http://test")


def due(operation: dict[str, Any]) -> set[str]:
    """Name the statuses that can befall an operation."""
    return (UNKEYED if {"HTTPBearer": []} in operation["security"] else set()) | (
        UNREAD if "requestBody" in operation else set()
    )


def operations(service: str) -> list[dict[str, Any]]:
    """List what a service can be asked."""
    paths = app_of(service).openapi()["paths"]
    return [operation for path in paths.values() for operation in path.values()]
