"""CloudEvents 1.0: structured, batched or binary over HTTP; structured or binary from Kafka."""

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

__all__ = [
    "BATCHED",
    "BATCH_MAX",
    "STRUCTURED",
    "Batch",
    "ReceivedEvent",
    "binary",
    "read",
    "structured",
]

BATCH_MAX: Final = 100
BATCHED: Final = "application/cloudevents-batch+json"
_PREFIX: Final = "ce-"


class ReceivedEvent(NamedTuple):
    """The data of an event, and the trace that the event names."""

    content: Any
    traceparent: str | None


class Batch(NamedTuple):
    """Events sent together; a `Poison` in the place of an invalid one."""

    events: Sequence[ReceivedEvent | Poison]


async def read(request: Request) -> ReceivedEvent | Batch:
    """Read a request as CloudEvents in any mode.

    Raises:
        HTTPException: 400 when the body is not JSON or not a CloudEvent; 415 for another media
            type.
    """
    kind, _ = media_type_of(request.headers)
    if kind or not _is_binary_mode(request):
        check_media_type(request.headers, STRUCTURED, BATCHED, JSON)
    try:
        if kind not in {STRUCTURED, BATCHED}:
            return binary(_attributes_of(request), await request.body(), "")
        content = read_json(await request.body())
        if kind == STRUCTURED:
            return structured(content)
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    if not isinstance(content, list) or len(content) > BATCH_MAX:
        fault = f"a batch is an array of up to {BATCH_MAX} CloudEvents"
        raise HTTPException(HTTPStatus.BAD_REQUEST, fault)
    return Batch([_structured_or_fault(event) for event in content])


def structured(event: Any) -> ReceivedEvent:  # noqa: ANN401 - JSON is any
    """Read an event that is one JSON object.

    Raises:
        Poison: It is not a valid CloudEvent.
    """
    if not isinstance(event, dict):
        raise Poison("bad_data", "a structured CloudEvent is a JSON object; send one")
    attributes = read_attributes(event)
    data = data_of(event)
    return _event_of(attributes, read_json(data) if isinstance(data, bytes) else data)


def binary(headers: Mapping[str, str], body: bytes | None, prefix: str) -> ReceivedEvent:
    """Read an event whose attributes are headers, and whose data is the body.

    Raises:
        Poison: An attribute is missing or invalid, or the body is not JSON.
    """
    return _event_of(read_attributes(headers, prefix), read_json(body))


def _structured_or_fault(event: Any) -> ReceivedEvent | Poison:  # noqa: ANN401 - JSON is any
    try:
        return structured(event)
    except Poison as e:
        return e


def _event_of(attributes: Attributes, content: Any) -> ReceivedEvent:  # noqa: ANN401 - JSON is any
    """Make an event; a later fact without an id of its own gets one derived from the event's."""
    if isinstance(content, dict) and "type" in content and content.get("event_id") is None:
        event_id = str(identity_of(attributes.source, attributes.id))
        content = {**content, "event_id": event_id}
    return ReceivedEvent(content, attributes.traceparent)


def _is_binary_mode(request: Request) -> bool:
    """Return whether a request is in binary mode, where its media type is that of the data."""
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
