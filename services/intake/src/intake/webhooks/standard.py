"""Verifies webhooks signed as in Standard Webhooks 1.0, with any of a connection's secrets.

Written by hand, because the official package reads the computer's clock, accepts one secret, and
fails on a signature that is not base64. The tests compare it with the official package.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from typing import Final

__all__ = ["AGE_S_MAX", "ID", "SIGNATURE", "fault_of", "id_of", "key_of", "sign"]

AGE_S_MAX: Final = 300
_PREFIXES: Final = ("webhook", "svix")
"""Svix uses the same signatures, but by default its own header names."""
ID: Final = f"{_PREFIXES[0]}-id"
SIGNATURE: Final = f"{_PREFIXES[0]}-signature"
_NAME: Final = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")
"""Without a full stop, which separates the signed parts."""
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PREFIX: Final = "whsec_"
_KEY_BYTES_MIN: Final = 24
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def key_of(secret: str) -> bytes | None:
    """Decode a secret, ``whsec_`` and base64; None when it is malformed or too short."""
    text = secret.removeprefix(_PREFIX)
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Error, ValueError):
        return None
    return key if len(key) >= _KEY_BYTES_MIN else None


def sign(key: bytes, name: str, timestamp: str, body: bytes) -> str:
    """Sign a webhook: ``v1,`` and base64."""
    signed = f"{name}.{timestamp}.".encode("latin-1") + body
    return f"v1,{b64encode(digest(key, signed, 'sha256')).decode()}"


def fault_of(
    keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> str | None:
    """Return why a webhook is not proven to be the sender's, or None."""
    prefix = _prefix_of(headers)
    name, timestamp = headers.get(f"{prefix}-id", ""), headers.get(f"{prefix}-timestamp", "")
    if not _NAME.fullmatch(name):
        return f"{prefix}-id is missing, or not 1 to 200 visible characters without a full stop"
    if not _SECONDS.fullmatch(timestamp):
        return f"{prefix}-timestamp is missing, or not a time in seconds"
    if abs(now - _EPOCH - timedelta(seconds=int(timestamp))) > timedelta(seconds=AGE_S_MAX):
        return (
            f"{prefix}-timestamp differs from the time of this service by more than {AGE_S_MAX} s"
        )
    given = headers.get(f"{prefix}-signature", "").encode("latin-1").split(b" ")
    right = [sign(key, name, timestamp, body).encode() for key in keys]
    fits = [compare_digest(one, other) for one in given for other in right]
    fault = f"no v1 signature in {prefix}-signature matches id, time, body and secret"
    return None if any(fits) else fault


def id_of(headers: Mapping[str, str]) -> str:
    """Return a verified webhook's id, which is the same each time it is sent."""
    return headers[f"{_prefix_of(headers)}-id"]


def _prefix_of(headers: Mapping[str, str]) -> str:
    """Return the prefix of the id header, webhook or svix; the other two must have it, too."""
    return next((one for one in _PREFIXES if f"{one}-id" in headers), _PREFIXES[0])
