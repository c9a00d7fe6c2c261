"""Decoding records: any bytes give an event, a skip, or a Poison with a reason."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.basics.errors import Poison
from shared.events import Envelope, SpecialistRemoved, TicketResponded
from shared.events.codec import Header, Record, Skipped, headers_of, read, value_of

TICKET = UUID("11111111-1111-5111-8111-111111111111")
ENVELOPE = Envelope(
    UUID("22222222-2222-5222-8222-222222222222"),
    "intake",
    datetime(2026, 3, 2, 12, tzinfo=UTC),
    TicketResponded(ticket_id=TICKET),
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
HEADERS = headers_of(ENVELOPE)
VALUE = value_of(ENVELOPE.event)


def record(
    value: bytes | None = VALUE, headers: list[Header] | None = None, topic: str = "tickets.v1"
) -> Record:
    """Build a valid record with one change."""
    return Record(topic, 0, 7, b"k", value, HEADERS if headers is None else headers)


def with_header(name: str, value: bytes | None) -> list[Header]:
    """Replace or add one header."""
    return [(n, v) for n, v in HEADERS if n != name] + [(name, value)]


def test_decoding_reverses_encoding() -> None:
    """Binary mode: decoding reverses encoding."""
    assert read(record()) == ENVELOPE


def test_structured_mode_is_read_too() -> None:
    """A sender may put the attributes into the document."""
    document = {
        "specversion": "1.0",
        "id": str(ENVELOPE.id),
        "source": "intake",
        "type": TicketResponded.type,
        "time": "2026-03-02T12:00:00Z",
        "traceparent": ENVELOPE.traceparent,
        "data": {"ticket_id": str(TICKET)},
    }
    headers: list[Header] = [("Content-Type", b"application/cloudevents+json; charset=UTF-8")]
    assert read(record(json.dumps(document).encode(), headers)) == ENVELOPE


def test_an_unknown_type_is_skipped() -> None:
    """Event types of a newer writer are skipped."""
    headers = with_header("ce_type", b"premium.ticket.praised.v1")
    assert read(record(headers=headers)) == Skipped("premium.ticket.praised.v1")


def test_a_tombstone_removes_a_specialist() -> None:
    """A null value removes a specialist."""
    found = read(record(None, topic="specialists.v1"))
    assert isinstance(found, Envelope)
    assert found.event == SpecialistRemoved(specialist_id="k")


SPOILED = {
    "tombstone": record(None),
    "empty": record(b""),
    "bad_json": record(b'{"ticket_id": '),
    "bad_utf8": record(b'{"ticket_id": "\xff"}'),
    "too_large": record(b'"' + b"x" * 1_000_000 + b'"'),
    "too_deep": record(b"[" * 100_000 + b"]" * 100_000),
    "bad_data": record(b'{"ticket_id": "not a ticket"}'),
    "bad_header": record(headers=with_header("ce_id", None)),
    "bad_attribute": record(headers=with_header("ce_time", b"0000-01-01T00:00:00Z")),
    "unknown_version": record(headers=with_header("ce_type", b"premium.ticket.responded.v2")),
}
MORE = [
    ("bad_header", record(headers=with_header("ce_source", b"\xff\xfe"))),
    ("bad_header", record(headers=with_header("ce_source", b"a\x00b"))),
    ("bad_key", Record("specialists.v1", 0, 7, b"a\x00b", None, HEADERS)),
    ("bad_attribute", record(headers=[])),
    ("bad_attribute", record(headers=with_header("ce_id", b"7"))),
    ("bad_attribute", record(headers=with_header("ce_time", b"10000-01-01T00:00:00Z"))),
    ("bad_attribute", record(headers=with_header("ce_time", b"2026-03-02T12:00:00"))),
    ("bad_json", record(b'{"ticket_id": "11111111-1111-5111-8111-111111111111", "x": NaN}')),
    ("bad_data", record(b"[]")),
]


@pytest.mark.parametrize(("reason", "spoiled"), [*SPOILED.items(), *MORE])
def test_a_bad_record_is_poison_with_its_reason(reason: str, spoiled: Record) -> None:
    """Every kind of bad record has a reason code, and a detail with the remedy."""
    with pytest.raises(Poison) as caught:
        read(spoiled)
    assert caught.value.reason == reason
    assert caught.value.detail


@pytest.mark.parametrize("value", [None, b"", b"\xe9", b"a\x00b"])
@pytest.mark.parametrize("name", ["sentry-trace", "traceparent", "x-note", "ce_note", "b3"])
def test_headers_that_are_not_read_may_hold_any_bytes(name: str, value: bytes | None) -> None:
    """Headers that are not read may hold any bytes, as tracing tools write them."""
    found = read(record(headers=with_header(name, value)))
    assert isinstance(found, Envelope)
    assert found.event == ENVELOPE.event


def test_text_that_cannot_be_stored_is_reported() -> None:
    """PostgreSQL stores no NUL: the field is reported, unless it is ignored anyway."""
    headers = with_header("ce_type", b"premium.ticket.erased.v1")
    erased = b'{"ticket_id": "%s", "unread": "\\u0000"}' % str(TICKET).encode()
    assert isinstance(read(record(erased, headers)), Envelope)
    headers = with_header("ce_type", b"premium.specialist.listed.v1")
    listed = b'{"specialist_id": "ann", "name": "A\\u0000", "mail": "ann@support.example",'
    listed += b' "languages": ["en"], "capacity": {"email": 1}, "presence": "online"}'
    with pytest.raises(Poison, match="name: holds a NUL character") as caught:
        read(record(listed, headers))
    assert caught.value.reason == "bad_data"


@given(
    st.none() | st.binary(max_size=200) | st.just(VALUE),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_type", "ce_time", "ce_source", "content-type", "x"]),
            st.none()
            | st.binary(max_size=60)
            | st.sampled_from([v for _, v in HEADERS])
            | st.just(b"application/cloudevents+json"),
        ),
        max_size=8,
    ),
    st.sampled_from(["tickets.v1", "specialists.v1"]),
)
def test_reading_raises_nothing_but_poison(
    value: bytes | None, headers: list[Header], topic: str
) -> None:
    """No record can stop a partition."""
    try:
        found = read(Record(topic, 0, 0, None, value, headers))
    except Poison:
        return
    assert isinstance(found, Envelope | Skipped)
