"""What must be refused: every fault a sender is known to have, with the reason we owe for it."""

import json
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["GARBAGE", "Garbage"]


@dataclass(frozen=True, slots=True)
class Garbage:
    """A message nobody can handle. ``%KEY%`` in it is replaced, so that each is its own.

    ``reason`` is the dead letter's for Kafka, and the problem's HTTP status for HTTP.
    """

    fault: str
    reason: str
    value: bytes | None
    door: Literal["http", "kafka"] = "kafka"
    headers: tuple[tuple[str, bytes | None], ...] = ()


_REQUEST: Final[dict[str, object]] = {
    "source": "email.garbage",
    "external_id": "%KEY%",
    "account_id": "alder-finch",
    "requester_id": "user-1@alder-finch",
    "role": "seat",
    "channel": "email",
    "language": "en",
    "subject": "A request with one fault",
    "occurred_at": "2026-03-03T10:00:00Z",
}


def _but(**changes: object) -> bytes:
    return json.dumps(_REQUEST | changes).encode()


def _without(field: str) -> bytes:
    return json.dumps({k: v for k, v in _REQUEST.items() if k != field}).encode()


GARBAGE: Final = (
    Garbage("cut off in the middle", "bad_json", _but()[:-20]),
    Garbage("no JSON at all", "bad_json", b"<request id='%KEY%'/>"),
    Garbage("NaN, which JSON has not", "bad_json", b'{"external_id": "%KEY%", "weight": NaN}'),
    Garbage("not UTF-8", "bad_utf8", _but(subject="Gr__e").replace(b"__", b"\xfc\xdf")),
    Garbage("empty", "empty", b""),
    Garbage("a tombstone", "tombstone", None),
    Garbage("nested too deep", "too_deep", b'{"key": "%KEY%", "a":' + b"[" * 60 + b"]" * 60 + b"}"),
    Garbage("a null header", "bad_header", _but(), headers=(("content-type", None),)),
    Garbage(
        "a header that is not UTF-8", "bad_header", _but(), headers=(("content-type", b"\xff"),)
    ),
    Garbage("no requester", "bad_data", _without("requester_id")),
    Garbage("an unknown channel", "bad_data", _but(channel="fax")),
    Garbage("a field nobody knows", "bad_data", _but(priority="high")),
    Garbage("an absurd date", "bad_data", _but(occurred_at="0001-01-01T00:00:00Z")),
    Garbage("a time without a zone", "bad_data", _but(occurred_at="2026-03-03T10:00:00")),
    Garbage("an unknown type", "bad_data", _but(type="exploded")),
    Garbage("a list", "bad_data", b'["%KEY%"]'),
    Garbage("no JSON at all", "400", b"subject=%KEY%", "http"),
    Garbage("an unknown role", "422", _but(role="boss"), "http"),
)
