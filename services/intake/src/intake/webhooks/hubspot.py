"""HubSpot's webhooks: request signature (version 3), copies of events, and erasures.

Source: developers.hubspot.com, "Validating requests"; the test vectors are those of its SDKs.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from typing import Any, Final

from intake.domain.webhook_mapping import InvalidEvent, Meaning, erasure_of, meaning_of
from shared import webhooks

__all__ = ["AGE_MS_MAX", "EVENTS_MAX", "SIGNATURE", "content_of", "fault_of", "meaning", "sign"]

AGE_MS_MAX: Final = 300_000
EVENTS_MAX: Final = 100
SIGNATURE: Final = "x-hubspot-signature-v3"
_TIMESTAMP: Final = "x-hubspot-request-timestamp"
_MILLISECONDS: Final = re.compile(r"[0-9]{1,15}")
_ESCAPES: Final = {
    f"%{ord(character):02X}": character for character in (":", "/", "?", "@", *"!$'()*,;")
}
_ESCAPED: Final = re.compile("|".join(_ESCAPES))
_ATTEMPT: Final = "attemptNumber"
_ERASURE: Final = ".privacyDeletion"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def sign(secret: bytes, url: str, body: bytes, timestamp: str) -> str:
    """Sign a POST as HubSpot does: it decodes twelve escapes in ``url`` first, and no others."""
    decoded = _ESCAPED.sub(lambda escape: _ESCAPES[escape[0]], url)
    signed = b"POST" + decoded.encode() + body + timestamp.encode("latin-1")
    return b64encode(digest(secret, signed, "sha256")).decode()


def fault_of(
    secrets: Sequence[bytes], url: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> str | None:
    """Return why a request is not proven to be HubSpot's, or None.

    ``url`` is the configured URL, because the request's own host header proves nothing.
    """
    timestamp = headers.get(_TIMESTAMP, "")
    if not _MILLISECONDS.fullmatch(timestamp):
        return f"{_TIMESTAMP} is missing, or not a time in milliseconds"
    now_ms = (now - _EPOCH) // timedelta(milliseconds=1)
    if abs(now_ms - int(timestamp)) > AGE_MS_MAX:
        return f"{_TIMESTAMP} differs from the time of this service by more than {AGE_MS_MAX} ms"
    given = headers.get(SIGNATURE, "").encode("latin-1")
    fits = [compare_digest(given, sign(s, url, body, timestamp).encode()) for s in secrets]
    return None if any(fits) else f"{SIGNATURE} does not match URL, body and secret"


def meaning(mapping: webhooks.Mapping, event: Any) -> Meaning:  # noqa: ANN401 - JSON is any
    """Map an event to its meaning. A privacy deletion is an erasure, whatever the mapping."""
    is_erasure = isinstance(event, dict) and str(event.get("subscriptionType")).endswith(_ERASURE)
    if not is_erasure:
        return meaning_of(mapping, event)
    match event.get("objectId"):
        case bool() | None | dict() | list():
            return InvalidEvent("objectId: names no person to erase")
        case subject_id:
            return erasure_of(str(subject_id), "objectId")


def content_of(event: Any) -> Any:  # noqa: ANN401 - as above
    """Return what is the same each time that an event is sent: all but the attempt's number."""
    if not isinstance(event, dict):
        return event
    return {name: value for name, value in event.items() if name != _ATTEMPT}
