"""Encode and decode CloudEvents 1.0 on Kafka: writes binary mode, reads binary and structured mode.

Source: CloudEvents Kafka protocol binding 1.0. Records may hold any bytes; reading raises only
`Poison`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from shared.basics.errors import Poison
from shared.basics.text import fault_in_json, fault_of_text, may_hide_bad_text
from shared.basics.tracing import headers_of_context
from shared.events import (
    CATALOGUE,
    AccountListed,
    Envelope,
    Event,
    PolicyPublished,
    SpecialistRemoved,
    cloudevents,
)
from shared.events.cloudevents import Attributes
from shared.events.requests import PlausibleMoment

__all__ = [
    "DEPTH_MAX",
    "VALUE_BYTES_MAX",
    "Header",
    "Record",
    "Skipped",
    "attributes_of",
    "describe",
    "headers_of",
    "read",
    "read_headers",
    "read_json",
    "time_of",
    "value_of",
]

type Header = tuple[str, bytes | None]

VALUE_BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 32
_NEEDED: Final = frozenset(
    {"content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"}
)
_TRACE: Final = frozenset({"traceparent", "tracestate", "ce_traceparent", "ce_tracestate"})
_READ: Final = _NEEDED | _TRACE
_OTHERS_WRITE: Final = frozenset(
    {AccountListed.topic, PolicyPublished.topic, SpecialistRemoved.topic}
)
_FAULTS_MAX: Final = 50
_PLACE_CHARACTERS_MAX: Final = 250
_TYPE: Final = re.compile(r"^(?P<name>.+)\.v(?P<major>\d+)$")
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(PlausibleMoment)
_MAJORS: Final = {(m["name"], m["major"]) for t in CATALOGUE if (m := _TYPE.match(t))}
_NAMES: Final = {name for name, _ in _MAJORS}


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as received; ``topic`` is the name without the prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int = -1
    """When it was written, in milliseconds since 1970; -1 if unknown."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A well-formed event that is not handled. Events of an unknown type are counted."""

    type: str
    is_known: bool = False


def attributes_of(envelope: Envelope[Event]) -> list[tuple[str, str]]:
    """Return the CloudEvents attributes as Kafka headers, in text."""
    attributes = [
        ("content-type", "application/json"),
        ("ce_specversion", cloudevents.VERSION),
        ("ce_id", str(envelope.id)),
        ("ce_source", cloudevents.uri_of_source(envelope.source)),
        ("ce_type", envelope.event.type),
        ("ce_subject", envelope.event.subject),
        ("ce_time", time_of(envelope.time)),
        ("ce_partitionkey", envelope.event.subject),
        ("ce_dataschema", cloudevents.schema_of(envelope.event.type)),
    ]
    return [*attributes, *headers_of_context(envelope.traceparent)]


def headers_of(envelope: Envelope[Event]) -> list[Header]:
    """Return the CloudEvents attributes as Kafka headers, in bytes."""
    return [(name, text.encode()) for name, text in attributes_of(envelope)]


def value_of(event: Event) -> bytes | None:
    """Encode an event's data as JSON; a removal gives None, a tombstone that deletes its key."""
    if isinstance(event, SpecialistRemoved):
        return None
    return event.__pydantic_serializer__.to_json(event)


def time_of(moment: datetime) -> str:
    """Format an instant as RFC 3339 in UTC."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[: -len("+00:00")] + "Z"


def read(record: Record) -> Envelope[Event] | Skipped:
    """Decode one record, in either CloudEvents mode; a tombstone only on specialists.v1.

    Raises:
        Poison: with the reason ``tombstone``, ``empty``, ``too_large``, ``bad_header``,
            ``bad_utf8``, ``bad_json``, ``too_deep``, ``bad_attribute``, ``unknown_version``,
            ``bad_key`` or ``bad_data``.
    """
    headers = read_headers(record.headers)
    if record.value is None and record.topic == SpecialistRemoved.topic:
        return _removal(record, headers)
    if _media_type(headers) == cloudevents.STRUCTURED:
        return _read_structured(record)
    return _decode(record, cloudevents.read_attributes(headers, "ce_"), record.value)


def read_headers(headers: Sequence[Header], *needed: str) -> dict[str, str]:
    """Decode the CloudEvents headers as text, and those named in ``needed``.

    Names ignore case; of equal names the last counts. Other headers may hold anything, and a
    malformed trace context is ignored.

    Raises:
        Poison: a header that is read is null or cannot be stored as text.
    """
    found = {}
    for name, value in headers:
        key = name if name in _READ else name.lower()
        if key in _TRACE:
            found[key] = (value or b"").decode(errors="replace")
        elif key in _NEEDED or key in needed:
            found[key] = _header(key, value)
    return found


def _header(name: str, value: bytes | None) -> str:
    if value is None:
        raise Poison("bad_header", f"header {name!r} is null; send it with a value or not")
    try:
        text = value.decode()
    except UnicodeDecodeError as e:
        raise Poison("bad_header", f"header {name!r} is not UTF-8 at byte {e.start}") from e
    if not text.isascii() or "\0" in text:
        _check_header(name, text)
    return text


def _check_header(name: str, text: str) -> None:
    if (fault := fault_of_text(text)) is not None:
        raise Poison("bad_header", f"header {name!r} {fault}")


def read_json(value: bytes | None) -> Any:  # noqa: ANN401 - JSON is any
    """Parse JSON within our limits on size and depth; NaN and Infinity are invalid (RFC 8259 §6).

    Raises:
        Poison: see `read`.
    """
    _check_bytes(value)
    assert value is not None  # noqa: S101 - _check_bytes refuses it; mypy cannot know
    try:
        document = from_json(value, allow_inf_nan=False)
    except ValueError as e:
        if "recursion" in str(e):
            raise Poison("too_deep", f"nested deeper than {DEPTH_MAX} levels") from e
        raise Poison("bad_json", f"not JSON: {e}; send one JSON document in UTF-8") from e
    if _depth(document) > DEPTH_MAX:
        raise Poison("too_deep", f"nested deeper than {DEPTH_MAX} levels")
    return document


def describe(error: ValidationError) -> str:
    """List the bad fields with their faults in one line, without the values that were sent.

    The list is limited: the receipt for a document of 30,000 unknown fields would otherwise be
    larger than Kafka accepts (``max.message.bytes``).
    """
    faults = []
    found = error.errors(include_url=False, include_input=False, include_context=False)
    for fault in found[:_FAULTS_MAX]:
        place = ".".join(str(part) for part in fault["loc"]) or "document"
        faults.append(f"{place[:_PLACE_CHARACTERS_MAX]}: {fault['msg']}")
    if len(found) > _FAULTS_MAX:
        faults.append(f"and {len(found) - _FAULTS_MAX:,} more")
    return "; ".join(faults)


def _read_structured(record: Record) -> Envelope[Event] | Skipped:
    document = read_json(record.value)
    if not isinstance(document, dict):
        raise Poison("bad_data", "a structured CloudEvent is a JSON object")
    attributes = cloudevents.read_attributes({k.lower(): v for k, v in document.items()})
    data = cloudevents.data_of(document)
    return _decode(record, attributes, data if isinstance(data, bytes) else to_json(data))


def _decode(
    record: Record, attributes: Attributes, value: bytes | None
) -> Envelope[Event] | Skipped:
    event_type = CATALOGUE.get(attributes.type)
    if event_type is None:
        return _unknown(attributes.type)
    return _enveloped(record, attributes, event_type.topic, _event(event_type, value))


def _enveloped[E: Event](
    record: Record, attributes: Attributes, topic: str, event: E
) -> Envelope[E]:
    return Envelope(
        id=_identity(attributes, topic),
        source=cloudevents.name_of_source(attributes.source),
        time=_time(attributes.time, record.timestamp),
        event=event,
        traceparent=attributes.traceparent,
    )


def _identity(attributes: Attributes, topic: str) -> UUID:
    """Return the event's id: ``ce_id``, or derived from it on topics that others may write."""
    if topic in _OTHERS_WRITE:
        return cloudevents.identity_of(attributes.source, attributes.id)
    try:
        return UUID(attributes.id)
    except ValueError as e:
        raise Poison("bad_attribute", "ce_id is no UUID, as those on this topic are") from e


def _event(event_type: type[Event], value: bytes | None) -> Event:
    _check_bytes(value)
    if value and (b"NaN" in value or b"Infinity" in value):
        read_json(value)
    try:
        event = event_type.model_validate_json(value or b"")
    except ValidationError as e:
        if any(fault["type"] == "json_invalid" for fault in e.errors(include_url=False)):
            read_json(value)
        raise Poison("bad_data", f"{event_type.type}: {describe(e)}") from e
    if may_hide_bad_text(value or b"") and (found := fault_in_json(event.model_dump())):
        place, fault = found
        raise Poison("bad_data", f"{event_type.type}: {'.'.join(place)}: {fault}")
    return event


def _check_bytes(value: bytes | None) -> None:
    if value is None:
        raise Poison("tombstone", "no value; only specialists.v1 knows removals")
    if not value:
        raise Poison("empty", "a value of 0 bytes; send a JSON document")
    if len(value) > VALUE_BYTES_MAX:
        raise Poison("too_large", f"{len(value)} bytes; at most {VALUE_BYTES_MAX} are read")
    try:
        value.decode()
    except UnicodeDecodeError as e:
        raise Poison("bad_utf8", f"not UTF-8 at byte {e.start}; send UTF-8") from e


def _removal(record: Record, headers: dict[str, str]) -> Envelope[Event]:
    try:
        subject = (record.key or b"").decode()
    except UnicodeDecodeError as e:
        raise Poison("bad_key", "the key of a removal is not UTF-8") from e
    if (fault := fault_of_text(subject)) is not None:
        raise Poison("bad_key", f"the key of a removal {fault}")
    removed = SpecialistRemoved(specialist_id=subject)
    given = {"ce_type": removed.type, **headers}
    return _enveloped(record, cloudevents.read_attributes(given, "ce_"), record.topic, removed)


def _unknown(name: str) -> Skipped:
    match = _TYPE.match(name)
    if match and match["name"] in _NAMES and (match["name"], match["major"]) not in _MAJORS:
        raise Poison("unknown_version", f"{name}: this version reads v1; upgrade, then redrive")
    return Skipped(name)


def _media_type(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


def _time(text: str | None, written_ms: int) -> datetime:
    """Return when the event occurred; without a ``time``, when its record was written."""
    if text is None:
        if written_ms < 0:
            raise Poison("bad_attribute", "time is missing, and the record has no timestamp")
        return datetime.fromtimestamp(written_ms / 1000, UTC)
    try:
        moment = _TIME.validate_python(text)
    except ValidationError as e:
        raise Poison("bad_attribute", describe(e).replace("document", "time", 1)) from e
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _depth(document: Any) -> int:  # noqa: ANN401 - JSON is any
    """Measure the nesting level by level: recursion would overflow on deep documents."""
    depth, level = 0, [document]
    while level:
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner.extend(node.values())
            elif isinstance(node, list):
                inner.extend(node)
        if not any(isinstance(node, dict | list) for node in level):
            break
        depth, level = depth + 1, inner
    return depth
