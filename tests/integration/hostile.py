"""Malicious input for every part of an API, derived from its OpenAPI document."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from httpx import AsyncClient, TransportError

from shared.events import ticket_id_of

__all__ = ["Spoiled", "faults", "spoiled_bodies", "spoiled_targets"]

_TICKET: Final = str(ticket_id_of("test", "T1"))
_IN_A_PATH: Final = ("%00", "a%00b", "%FF", "%ED%A0%80", "%0A", "%2500", "x" * 5_000)
_IN_A_QUERY: Final = ("%00", "%FF", "%ED%A0%80", "100000000000000000000", "-1", "x" * 5_000)
_STRINGS: Final = (
    "\x00",
    "a\x00b",
    "\ud800",
    "x" * 5_000,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
)
_LONG: Final = "<a long number>"
"""A placeholder for a value that Python's JSON encoder would not write."""
_OTHERS: Final[tuple[object, ...]] = (10**20, -(10**20), _LONG, 1e308, True, None, [], {})
_TAKES_A_BODY: Final = ("post", "put", "patch")


class Spoiled(NamedTuple):
    """A request with one fault, and its description."""

    method: str
    target: str
    body: bytes | None
    what: str


def spoiled_targets(document: dict[str, Any]) -> Iterator[Spoiled]:
    """Put a fault into each part of each path, and bad texts into a query."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parameters = operation.get("parameters", ())
            named = [p["name"] for p in parameters if p["in"] == "path"]
            body = b"{}" if method in _TAKES_A_BODY else None
            for name in named:
                for bad in _IN_A_PATH:
                    yield Spoiled(method, _filled(path, named, {name: bad}), body, f"{name}={bad}")
            queried = [p["name"] for p in parameters if p["in"] == "query"]
            for name in [*queried, "unknown"]:
                for bad in _IN_A_QUERY:
                    target = f"{_filled(path, named, {})}?{name}={bad}"
                    yield Spoiled(method, target, body, f"?{name}={bad[:30]}")


def spoiled_bodies(document: dict[str, Any]) -> Iterator[Spoiled]:
    """Put a fault into each value of each example, and add a member with a bad name."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            named = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            target = _filled(path, named, {})
            for example in _examples(document, operation):
                for place, spoiled in _spoil(example):
                    yield Spoiled(method, target, _written(spoiled), place)
                for name in ("\x00", "\ud800"):
                    added = {**example, name: "x"} if isinstance(example, dict) else example
                    yield Spoiled(method, target, _written(added), f"member {name!r}")


def _filled(path: str, names: list[str], given: dict[str, str]) -> str:
    for name in names:
        path = path.replace(f"{{{name}}}", given.get(name, _TICKET))
    return path


def _written(value: Any) -> bytes:  # noqa: ANN401 - JSON is any
    return json.dumps(value).replace(json.dumps(_LONG), "1" + "0" * 5_000).encode()


def _examples(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    yield from _of(document, schema)


def _of(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from _of(document, document["components"]["schemas"][name])
    elif "examples" in schema:
        yield from schema["examples"]
    elif "properties" in schema:
        parts = {n: next(_of(document, s), "x") for n, s in schema["properties"].items()}
        yield parts
    elif "anyOf" in schema:
        yield from _of(document, schema["anyOf"][0])
    elif schema.get("type") == "array":
        yield [next(_of(document, schema.get("items", {})), "x")]


def _spoil(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON is any
    match value:
        case dict():
            for name, inner in value.items():
                for where, bad in _spoil(inner, f"{place}.{name}"):
                    yield where, {**value, name: bad}
        case list():
            for index, inner in enumerate(value):
                for where, bad in _spoil(inner, f"{place}.{index}"):
                    yield where, [*value[:index], bad, *value[index + 1 :]]
        case _:
            for number, bad in enumerate((*_STRINGS, *_OTHERS)):
                yield f"{place}#{number}", bad


async def faults(client: AsyncClient, spoiled: Iterable[Spoiled]) -> list[str]:
    """Send each request; return those that were answered with 5xx, or not at all."""
    found = []
    for method, target, body, what in spoiled:
        url = client.base_url.copy_with(raw_path=target.encode())
        headers = {b"sentry-trace": b"\xe9", b"traceparent": b"\xe9"}
        if body is not None and "content-type" not in client.headers:
            headers[b"content-type"] = b"application/json"
        request = client.build_request(method.upper(), url, content=body, headers=headers)
        try:
            answer = await client.send(request)
        except TransportError as e:
            found.append(f"{method} {target[:80]} {what}: {e!r}")
            continue
        if answer.is_server_error:
            found.append(f"{method} {target[:80]} {what}: {answer.status_code}")
    return found
