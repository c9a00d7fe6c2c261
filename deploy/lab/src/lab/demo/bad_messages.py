"""Messages that must be refused: all known faults of senders, each with the expected reason."""

import json
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BAD_MESSAGES", "BadMessage"]


@dataclass(frozen=True, slots=True)
class BadMessage:
    """An invalid message. ``%KEY%`` in it is replaced, so that each message is unique.

    ``reason`` is the dead letter's for Kafka, and the problem's HTTP status for HTTP.
    """

    fault: str
    reason: str
    value: bytes | None
    transport: Literal["http", "kafka"] = "kafka"
    headers: tuple[tuple[str, bytes | None], ...] = ()


_REQUEST: Final[dict[str, object]] = {
    "source": "email.invalid",
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


BAD_MESSAGES: Final = (
    BadMessage("cut off in the middle", "bad_json", _but()[:-20]),
    BadMessage("not JSON", "bad_json", b"<request id='%KEY%'/>"),
    BadMessage("NaN, which is not JSON", "bad_json", b'{"external_id": "%KEY%", "weight": NaN}'),
    BadMessage("not UTF-8", "bad_utf8", _but(subject="Gr__e").replace(b"__", b"\xfc\xdf")),
    BadMessage("empty", "empty", b""),
    BadMessage("a tombstone", "tombstone", None),
    BadMessage(
        "nested too deep", "too_deep", b'{"key": "%KEY%", "a":' + b"[" * 60 + b"]" * 60 + b"}"
    ),
    BadMessage("a null header", "bad_header", _but(), headers=(("content-type", None),)),
    BadMessage(
        "a header that is not UTF-8", "bad_header", _but(), headers=(("content-type", b"\xff"),)
    ),
    BadMessage("no requester", "bad_data", _without("requester_id")),
    BadMessage("an unknown channel", "bad_data", _but(channel="fax")),
    BadMessage("an unknown field", "bad_data", _but(priority="high")),
    BadMessage("an absurd date", "bad_data", _but(occurred_at="0001-01-01T00:00:00Z")),
    BadMessage("a time without a zone", "bad_data", _but(occurred_at="2026-03-03T10:00:00")),
    BadMessage("an unknown type", "bad_data", _but(type="exploded")),
    BadMessage("a list", "bad_data", b'["%KEY%"]'),
    BadMessage("not JSON", "400", b"subject=%KEY%", "http"),
    BadMessage("an unknown role", "422", _but(role="boss"), "http"),
)
