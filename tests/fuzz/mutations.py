"""Mutates Kafka records: their bytes, their JSON, and their headers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from shared.events.codec import Header, Record

__all__ = ["Good", "mutated", "values_by_field"]

type Span = tuple[int, int]

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')
_DEEP: Final = tuple(
    opened * depth + b"1" + closed * depth
    for depth in (31, 33, 190, 210, 5_000)
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}"))
)
_NUMBERS: Final = (
    *(b"0", b"-0", b"-1", b"1.5", b"1e999", b"-1e999", b"1e-999", b"1e9", b"01", b"+1", b"1."),
    *(b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"1" * 400),
    *(b"1" * 4_300, b"1" * 4_301, b"-" + b"9" * 20_000, b"0." + b"3" * 5_000, b"NaN", b"-NaN"),
    *(b"Infinity", b"-Infinity"),
)
_MOMENTS: Final = (
    *(b"0000-01-01T00:00:00Z", b"0001-01-01T00:00:00Z", b"0001-01-01T00:00:00+23:59"),
    *(b"9999-12-31T23:59:59.999999Z", b"9999-12-31T23:59:59-23:59", b"10000-01-01T00:00:00Z"),
    *(b"1999-12-31T23:59:59Z", b"2000-01-01T00:00:00+14:00", b"2099-12-31T23:59:59-12:00"),
    *(b"2026-03-02T12:00:00", b"2026-03-02", b"2026-03-02T12:00:00+23:59:60", b"12:00:00Z"),
    *(b"2026-03-02T12:00:00+24:00", b"2026-03-02T12:00:00-00:00", b"2026-02-30T12:00:00Z"),
    *(b"2026-03-02T12:00:60Z", b"2026-03-02T24:00:00Z", b"2026-03-02T12:00:00.1234567891Z"),
    *(b"1772452800", b"-1", b"1e20", b"99999999999999999999", b"P1D", b"P99999999999D", b"-PT1S"),
    *(
        b"2026-03-02t12:00:00z",
        b"2026-03-02 12:00:00 Z",
        "\uff12\uff10\uff12\uff16-03-02T12:00:00Z".encode(),
    ),
)
_TEXTS: Final = (
    *(b"", b" ", b"\\u0000", b"a\\u0000b", b"\\ud800", b"\\udfff\\ud800", b"\\ud83d\\ude00"),
    *(b"\\u12", b"\\x", b"\x00", b"\n", b"\x7f", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\\n"),
    *(b"x" * 201, b"x" * 36, b"\xf0\x9f\x98\x80" * 1_001, "İıſßﬁ\u202e".encode(), b"NaN", b"null"),
    *(b"00000000-0000-0000-0000-000000000000", b"{8f3a1c52-5b7e-5d0c-9a41-6c2f7b1e0d94}"),
    *(b"Europe/Berlin", b"../../etc/passwd", b"Asia/Kathmandu", b"de-CH-1996", b"everyone"),
    *(b"09:00-17:00", b"17:00-09:00", b"00:00-24:00", b"24:00-24:01", b"mon-fri", b"premium"),
    *(b"business_critical", b"critical", b"phone", b"web", b"merged", b"waiting", b"reclassified"),
)
_QUOTED: Final = tuple(b'"' + text + b'"' for text in (*_TEXTS, *_MOMENTS))
_SHAPES: Final = (
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"[null]",
    b'{"":{}}',
    b"",
    b"nul",
    b'"',
)
_LARGE: Final = (
    b'"' + b"y" * 100_001 + b'"',
    b'"' + b"z" * 263_000 + b'"',
    b"[" + b"0," * 1_000 + b"0]",
)
_BAD: Final = (*_SHAPES, *_NUMBERS, *_QUOTED, *_DEEP)
_FIELDS: Final = (
    *(b"type", b"into", b"severity", b"waiting_for", b"event_id", b"ticket_id", b"source"),
    *(b"external_id", b"occurred_at", b"data", b"id", b"time", b"document", b"role", b"language"),
    *(b"until", b"promises", b"", b"\\u0000", b"x" * 300, b"\\ud800", b"__class__", b"self"),
)
_HEADER_NAMES: Final = (
    *("content-type", "ce_type", "ce_id", "ce_time", "ce_source", "ce_specversion", "traceparent"),
    *("Content-Type", "CE_ID", "ce_subject", "", "\x00", "x" * 300, "dl-topic", "İ", "ce_data"),
)
_HEADER_VALUES: Final = (
    *(
        None,
        b"",
        b" ",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\x00",
        b"x" * 10_000,
        b"1.0",
        b"0.3",
        b"null",
    ),
    *(b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=utf-8"),
    *(
        b"text application/cloudevents+json",
        b" application/cloudevents+json ;",
        b"application/json",
    ),
    *(
        b"application/cloudevents+jsonx",
        b"application/cloudevents-batch+json",
        b";;;",
        b"text/plain",
    ),
    *(b"premium.ticket.accepted.v2", b"premium.ticket.accepted.v0", b"premium.ticket.accepted"),
    *(b"premium.ticket.accepted.v1\n", b"premium.ticket.accepted.v" + b"9" * 5_000, b".v1", b"v1"),
    *("premium.ticket.accepted.v\u0661".encode(), b"premium.policy.published.v1", b"x.y.v1"),
    *(b"premium.account.listed.v1", b"premium.ticket.closed.v1", b"premium.specialist.removed.v1"),
    *(b"urn:uuid:8f3a1c52-5b7e-5d0c-9a41-6c2f7b1e0d94", b"0x" + b"1" * 30, b"1_" * 16, b"-" * 36),
    *(b"+" + b"1" * 31, "\uff11".encode() * 32, b"{" + b"a" * 32 + b"}"),
    *_MOMENTS,
)
_KEYS: Final = (None, b"", b"k", b"\xff", b"\x00", b"x" * 5_000)


@dataclass(frozen=True, slots=True)
class Good:
    """A valid record, and the positions of values and members in its JSON."""

    record: Record
    values: Sequence[tuple[bytes, Span]]
    members: Sequence[Span]

    @staticmethod
    def of(record: Record) -> "Good":
        """Find the values, each with its field's name, and the members."""
        text = record.value or b""
        values = list(_values(text))
        members = [(text.rindex(b'"' + f + b'"', 0, a), b) for f, (a, b) in values if f]
        return Good(record, values, members)


def values_by_field(goods: Sequence[Good]) -> dict[bytes, list[bytes]]:
    """Group values by field name: a value from an equal field is often valid."""
    found: dict[bytes, set[bytes]] = {}
    for good in goods:
        for field, (start, end) in good.values:
            found.setdefault(field, set()).add((good.record.value or b"")[start:end])
    return {field: sorted(texts) for field, texts in found.items()}


def mutated(good: Good, others: Mapping[bytes, Sequence[bytes]], random: Random) -> Record:
    """Mutate a record in one or a few places; about one in sixteen stays unchanged."""
    lot, record = random.random(), good.record
    value, headers, key = record.value, record.headers, record.key
    if value is not None and lot < 0.75:
        value = _json_mutated(good, value, others, random)
        while random.random() < 0.1:
            value = _bytes_mutated(value, random)
    elif value is not None and lot < 0.85:
        value = _bytes_mutated(value, random)
    if lot > 0.8:
        headers = _headers_mutated(headers, random)
    if lot > 0.98:
        key, value = _one(_KEYS, random), _one((None, b"", b"\xef\xbb\xbf{}", value), random)
    return Record(record.topic, record.partition, int(lot * 1e9), key, value, headers)


def _json_mutated(
    good: Good, text: bytes, others: Mapping[bytes, Sequence[bytes]], random: Random
) -> bytes:
    lot = random.random()
    if lot < 0.6 or not good.members:
        field, (start, end) = _one(good.values, random)
        known = others[field]
        fresh = _one(known, random) if random.random() < 0.6 else _one(_BAD, random)
        return text[:start] + fresh + text[end:]
    start, end = _one(good.members, random)
    if lot < 0.75:
        after = end + 1 if text[end : end + 1] == b"," else end
        before = start if after > end or text[start - 1 : start] != b"," else start - 1
        return text[:before] + text[after:]
    if lot < 0.8:
        return text[:start] + text[start:end] + b"," + text[start:]
    return text[:start] + _member(others, random) + b"," + text[start:]


def _member(others: Mapping[bytes, Sequence[bytes]], random: Random) -> bytes:
    field, lot = _one(_FIELDS, random), random.random()
    if lot < 0.002:
        fresh = _one(_LARGE, random)
    elif lot < 0.5 and field in others:
        fresh = _one(others[field], random)
    else:
        fresh = _one(_BAD, random)
    return b'"' + field + b'":' + fresh


def _bytes_mutated(text: bytes, random: Random) -> bytes:
    at, lot = int(random.random() * (len(text) + 1)), random.random()
    to = min(len(text), at + int(random.random() * 20))
    if lot < 0.4:
        return text[:at] + bytes([int(random.random() * 256)]) + text[at + 1 :]
    if lot < 0.5 and at < len(text):
        return text[:at] + bytes([text[at] ^ 1 << int(random.random() * 8)]) + text[at + 1 :]
    if lot < 0.6:
        return text[:at]
    if lot < 0.75:
        return text[:at] + text[to:]
    if lot < 0.85:
        return text[:to] + text[at:]
    return text[:at] + _one(_BAD, random) + text[at:]


def _headers_mutated(headers: Sequence[Header], random: Random) -> list[Header]:
    found, lot = list(headers), random.random()
    at = int(random.random() * len(found))
    fresh = _one(_HEADER_VALUES, random)
    if lot < 0.4 and found:
        found[at] = (found[at][0], fresh)
    elif lot < 0.55 and found:
        del found[at]
    elif lot < 0.7 and found:
        found[at] = (found[at][0], _bytes_mutated(found[at][1] or b"", random))
    else:
        found.insert(at, (_one(_HEADER_NAMES, random), fresh))
    return found


def _values(text: bytes) -> Iterator[tuple[bytes, Span]]:
    """Return every value of a JSON document with the name of its field."""
    opened: list[tuple[int, bytes]] = []
    field, last = b"", b""
    for token in _TOKEN.finditer(text):
        character = token[0]
        if character in {b"{", b"["}:
            opened.append((token.start(), field))
            field = b"" if character == b"{" else field
        elif character in {b"}", b"]"}:
            start, field = opened.pop()
            yield field, (start, token.end())
        elif character == b":":
            field = last[1:-1]
        elif character != b"," and not _is_name(text, token.end()):
            yield field, token.span()
        last = character


def _is_name(text: bytes, end: int) -> bool:
    return text[end : end + 2].lstrip()[:1] == b":"


def _one[T](options: Sequence[T], random: Random) -> T:
    return options[int(random.random() * len(options))]
