"""The protocol-independent part of CloudEvents 1.0: attributes, identity, data.

Sources: CloudEvents 1.0.2, its JSON format, and its extensions for distributed tracing and
partitioning.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from shared.basics.errors import Poison
from shared.basics.text import fault_of_text
from shared.basics.tracing import context_of
from shared.events.base import NAMESPACE

__all__ = [
    "STRUCTURED",
    "VERSION",
    "Attributes",
    "data_of",
    "identity_of",
    "name_of_source",
    "read_attributes",
    "schema_of",
    "uri_of_source",
]

VERSION: Final = "1.0"
STRUCTURED: Final = "application/cloudevents+json"
_OURS: Final = "urn:premium-support:"
_SCHEMA: Final = f"{_OURS}schema:"


class Attributes(NamedTuple):
    """The attributes that we read from an event; ``time`` is optional and not parsed yet."""

    id: str
    source: str
    type: str
    time: str | None
    traceparent: str | None


class _Names(NamedTuple):
    """The names of the attributes in one protocol binding."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    traceparent: str
    tracestate: str


_NAMES: Final = {
    prefix: _Names(*(f"{prefix}{name}" for name in _Names._fields)) for prefix in ("", "ce_", "ce-")
}


def read_attributes(given: Mapping[str, Any], prefix: str = "") -> Attributes:
    """Read attributes whose names begin with ``prefix``. Raises Poison if a required one is bad."""
    names = _NAMES[prefix]
    version = given.get(names.specversion)
    if version != VERSION:
        fault = f"is not {VERSION!r}" if version else "is missing"
        raise Poison("bad_attribute", f"{names.specversion} {fault}; send CloudEvents {VERSION}")
    return Attributes(
        _required(given, names.id),
        _required(given, names.source),
        _required(given, names.type),
        _optional(given, names.time),
        _trace(given, names) or _trace(given, _NAMES[""]),
    )


def identity_of(source: str, event_id: str) -> UUID:
    """Derive a unique id from a foreign source and its id; our own ids, UUIDs, are kept."""
    if source.startswith(_OURS):
        try:
            return UUID(event_id)
        except ValueError as e:
            raise Poison("bad_attribute", f"id of an event of {source} is no UUID") from e
    return uuid5(NAMESPACE, f"{source}\x1f{event_id}")


def uri_of_source(name: str) -> str:
    """Return a service's name as an absolute URI; a URI is returned unchanged."""
    return name if ":" in name or "/" in name else f"{_OURS}{name}"


def name_of_source(uri: str) -> str:
    """Reverse `uri_of_source`."""
    return uri.removeprefix(_OURS)


def schema_of(event_type: str) -> str:
    """Return the schema id of an event's data, which names a message in docs/api/asyncapi.yaml."""
    return f"{_SCHEMA}{event_type}"


def data_of(event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is any
    """Return the data of a structured event: JSON, or the bytes of ``data_base64``.

    Raises:
        Poison: both are present, or ``data_base64`` is not base64.
    """
    if "data_base64" not in event:
        return event.get("data")
    if "data" in event:
        raise Poison("bad_data", "data and data_base64 exclude each other; send one of them")
    try:
        return b64decode(event["data_base64"], validate=True)
    except (ValueError, TypeError) as e:
        raise Poison("bad_data", "data_base64 is not base64 (RFC 4648); send it so") from e


def _required(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        fault = "is no text" if value else "is missing"
        raise Poison("bad_attribute", f"{name} {fault}; a CloudEvent needs it")
    if (fault_of := fault_of_text(value)) is not None:
        raise Poison("bad_attribute", f"{name} {fault_of}")
    return value


def _optional(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise Poison("bad_attribute", f"{name} is no text; write it, or leave it out")
    return value or None


def _trace(given: Mapping[str, Any], names: _Names) -> str | None:
    """Read the trace context from the attributes of the extension Distributed Tracing."""
    parent, state = given.get(names.traceparent), given.get(names.tracestate)
    if not isinstance(parent, str):
        return None
    return context_of(parent, state if isinstance(state, str) else None)
