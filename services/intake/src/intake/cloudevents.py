"""CloudEvents 1.0 at intake's doors: structured, batched or binary over HTTP, either by Kafka."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from fastapi import Request
from starlette.exceptions import HTTPException

from shared.basics.errors import Poison
from shared.events.cloudevents import STRUCTURED, Attributes, data_of, identity_of, read_attributes
from shared.events.codec import read_json
from shared.platform.http_input import JSON, check_media_type, media_type_of

__all__ = ["BATCHED", "STRUCTURED", "TOGETHER_MAX", "Batch", "Sent", "binary", "read", "structured"]

TOGETHER_MAX: Final = 100
BATCHED: Final = "application/cloudevents-batch+json"
_PREFIX: Final = "ce-"


class Sent(NamedTuple):
    """What an event brings, and the trace that it belongs to by its own word."""

    content: Any
    traceparent: str | None


class Batch(NamedTuple):
    """Events that came together; in the place of one that is none stands why."""

    events: Sequence[Sent | Poison]


async def read(request: Request) -> Sent | Batch:
    """Read a request as CloudEvents in any mode.

    Raises HTTPException: 400 for a body that is no JSON, or no CloudEvent; 415 for another media
    type.
    """
    kind, _ = media_type_of(request.headers)
    if kind or not _names_itself(request):
        check_media_type(request.headers, STRUCTURED, BATCHED, JSON)
    try:
        if kind not in {STRUCTURED, BATCHED}:
            return binary(_attributes_of(request), await request.body(), "")
        content = read_json(await request.body())
        if kind == STRUCTURED:
            return structured(content)
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    if not isinstance(content, list) or len(content) > TOGETHER_MAX:
        fault = f"a batch is an array of up to {TOGETHER_MAX} CloudEvents"
        raise HTTPException(HTTPStatus.BAD_REQUEST, fault)
    return Batch([_or_why(event) for event in content])


def structured(event: Any) -> Sent:  # noqa: ANN401 - JSON is any
    """Read an event that is one JSON object. Raises Poison."""
    if not isinstance(event, dict):
        raise Poison("bad_data", "a structured CloudEvent is a JSON object; send one")
    attributes = read_attributes(event)
    data = data_of(event)
    return _sent(attributes, read_json(data) if isinstance(data, bytes) else data)


def binary(headers: Mapping[str, str], body: bytes | None, prefix: str) -> Sent:
    """Read an event whose attributes are headers, and whose data is the body. Raises Poison."""
    return _sent(read_attributes(headers, prefix), read_json(body))


def _or_why(event: Any) -> Sent | Poison:  # noqa: ANN401 - JSON is any
    try:
        return structured(event)
    except Poison as e:
        return e


def _sent(attributes: Attributes, content: Any) -> Sent:  # noqa: ANN401 - JSON is any
    """Give a fact that has no id of its own that of its event."""
    if isinstance(content, dict) and "type" in content and content.get("event_id") is None:
        name = str(identity_of(attributes.source, attributes.id))
        content = {**content, "event_id": name}
    return Sent(content, attributes.traceparent)


def _names_itself(request: Request) -> bool:
    """Return whether it is in binary mode, in which the media type is that of data, or left out."""
    return f"{_PREFIX}specversion" in request.headers


def _attributes_of(request: Request) -> dict[str, str]:
    """Read the headers of binary mode, which are percent-encoded (HTTP binding, 3.1.3.2)."""
    found = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in request.headers.items()
        if name.startswith(_PREFIX)
    }
    trace = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    return {**trace, **found}
