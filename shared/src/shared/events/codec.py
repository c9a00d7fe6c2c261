"""CloudEvents 1.0 on Kafka: binary mode out, binary and structured mode in.

Source: CloudEvents Kafka protocol binding 1.0. Reading never raises anything but `Poison`: a
record is whatever bytes somebody sent.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from shared.errors import Poison
from shared.events import CATALOGUE, Envelope, Event, SpecialistRemoved
from shared.events.requests import PlausibleMoment
from shared.tracing import traceparent_of

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
_FAULTS_MAX: Final = 50
_PLACE_CHARACTERS_MAX: Final = 250
_TYPE: Final = re.compile(r"^(?P<name>.+)\.v(?P<major>\d+)$")
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(PlausibleMoment)
_MAJORS: Final = {(m["name"], m["major"]) for t in CATALOGUE if (m := _TYPE.match(t))}
_NAMES: Final = {name for name, _ in _MAJORS}


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it came; ``topic`` is the catalogue's name, without a prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A well-formed event that is passed over; counted if no version is known of its type."""

    type: str
    is_known: bool = False


def attributes_of(envelope: Envelope[Event]) -> list[tuple[str, str]]:
    """Name the CloudEvents attributes, as Kafka headers carry them."""
    attributes = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", str(envelope.id)),
        ("ce_source", envelope.source),
        ("ce_type", envelope.event.type),
        ("ce_subject", envelope.event.subject),
        ("ce_time", time_of(envelope.time)),
    ]
    if envelope.traceparent:
        attributes.append(("traceparent", envelope.traceparent))
    return attributes


def headers_of(envelope: Envelope[Event]) -> list[Header]:
    """Write the CloudEvents attributes as Kafka headers."""
    return [(name, text.encode()) for name, text in attributes_of(envelope)]


def value_of(event: Event) -> bytes | None:
    """Write the data; a removal is a tombstone, so that compaction forgets the key."""
    if isinstance(event, SpecialistRemoved):
        return None
    return event.__pydantic_serializer__.to_json(event)


def time_of(moment: datetime) -> str:
    """Write an instant as RFC 3339 in UTC."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[: -len("+00:00")] + "Z"


def read(record: Record) -> Envelope[Event] | Skipped:
    """Read one record, in either CloudEvents mode; a tombstone removes a specialist.

    Raises Poison with a machine reason: ``tombstone``, ``empty``, ``too_large``, ``bad_header``,
    ``bad_utf8``, ``bad_json``, ``too_deep``, ``bad_attribute``, ``unknown_version``, ``bad_data``.
    """
    headers = read_headers(record.headers)
    if record.value is None and record.topic == SpecialistRemoved.topic:
        return _removal(record, headers)
    if _media_type(headers) == "application/cloudevents+json":
        return _read_structured(record)
    return _decode(headers, record.value, prefix="ce_")


def read_headers(headers: Sequence[Header]) -> dict[str, str]:
    """Read headers as text; the last of equal names counts, names are caseless."""
    found = {}
    for name, value in headers:
        if value is None:
            raise Poison("bad_header", f"header {name!r} is null; send it with a value or not")
        try:
            found[name.lower()] = value.decode()
        except UnicodeDecodeError as e:
            raise Poison("bad_header", f"header {name!r} is not UTF-8 at byte {e.start}") from e
    return found


def read_json(value: bytes | None) -> Any:  # noqa: ANN401 - JSON is any
    """Read a JSON document within our limits; NaN and Infinity are no JSON (RFC 8259 §6)."""
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
    """Name the bad fields with their faults, in one line and without what the sender put there.

    At most so many and so long: a document of 30,000 unknown fields would else be answered by a
    receipt that Kafka refuses (``max.message.bytes``), and every other would wait behind it.
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
    attributes = {k.lower(): v for k, v in document.items() if isinstance(v, str)}
    return _decode(attributes, json.dumps(document.get("data")).encode(), prefix="")


def _decode(
    attributes: dict[str, str], value: bytes | None, *, prefix: str
) -> Envelope[Event] | Skipped:
    name = _attribute(attributes, f"{prefix}type")
    event_type = CATALOGUE.get(name)
    if event_type is None:
        return _unknown(name)
    event_id = _uuid(_attribute(attributes, f"{prefix}id"), f"{prefix}id")
    time = _time(_attribute(attributes, f"{prefix}time"), f"{prefix}time")
    return Envelope(
        id=event_id,
        source=_attribute(attributes, f"{prefix}source"),
        time=time,
        event=_event(event_type, value),
        traceparent=traceparent_of(attributes.get("traceparent")),
    )


def _event(event_type: type[Event], value: bytes | None) -> Event:
    _check_bytes(value)
    if value and (b"NaN" in value or b"Infinity" in value):
        read_json(value)
    try:
        return event_type.model_validate_json(value or b"")
    except ValidationError as e:
        if any(fault["type"] == "json_invalid" for fault in e.errors(include_url=False)):
            read_json(value)
        raise Poison("bad_data", f"{event_type.type}: {describe(e)}") from e


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
    return Envelope(
        id=_uuid(_attribute(headers, "ce_id"), "ce_id"),
        source=_attribute(headers, "ce_source"),
        time=_time(_attribute(headers, "ce_time"), "ce_time"),
        event=SpecialistRemoved(specialist_id=subject),
        traceparent=traceparent_of(headers.get("traceparent")),
    )


def _unknown(name: str) -> Skipped:
    match = _TYPE.match(name)
    if match and match["name"] in _NAMES and (match["name"], match["major"]) not in _MAJORS:
        raise Poison("unknown_version", f"{name}: this version reads v1; upgrade, then redrive")
    return Skipped(name)


def _media_type(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


def _attribute(attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name)
    if not value:
        raise Poison("bad_attribute", f"{name} is missing; CloudEvents 1.0 needs it")
    return value


def _uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as e:
        raise Poison("bad_attribute", f"{name} is no UUID") from e


def _time(text: str, name: str) -> datetime:
    try:
        return _TIME.validate_python(text).astimezone(UTC)
    except ValidationError as e:
        raise Poison("bad_attribute", describe(e).replace("document", name, 1)) from e


def _depth(document: Any) -> int:  # noqa: ANN401 - JSON is any
    """Measure nesting level by level: recursion would fail on what it is to find."""
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
