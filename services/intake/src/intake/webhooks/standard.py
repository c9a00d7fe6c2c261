"""Webhooks signed as Standard Webhooks 1.0 has it, by any of the secrets that are live.

By hand, because the official package reads the computer's clock, takes one secret, and breaks on
a signature that is no base64; the tests hold both beside each other.
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
"""Svix signs alike, and names its headers by its own name unless it is asked not to."""
ID: Final = f"{_PREFIXES[0]}-id"
SIGNATURE: Final = f"{_PREFIXES[0]}-signature"
_NAME: Final = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")
"""Without a full stop, which parts what is signed."""
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PREFIX: Final = "whsec_"
_KEY_BYTES_MIN: Final = 24
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def key_of(secret: str) -> bytes | None:
    """Read a secret, ``whsec_`` and base64; None where it is no such thing, or too short."""
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
    """Say why a webhook is not the sender's, or None."""
    prefix = _prefix_of(headers)
    name, timestamp = headers.get(f"{prefix}-id", ""), headers.get(f"{prefix}-timestamp", "")
    if not _NAME.fullmatch(name):
        return f"{prefix}-id is missing, or not 1 to 200 visible characters without a full stop"
    if not _SECONDS.fullmatch(timestamp):
        return f"{prefix}-timestamp is missing, or no time in seconds"
    if abs(now - _EPOCH - timedelta(seconds=int(timestamp))) > timedelta(seconds=AGE_S_MAX):
        return f"{prefix}-timestamp is more than {AGE_S_MAX} s away from our time"
    given = headers.get(f"{prefix}-signature", "").encode("latin-1").split(b" ")
    right = [sign(key, name, timestamp, body).encode() for key in keys]
    fits = [compare_digest(one, other) for one in given for other in right]
    fault = f"no v1 signature in {prefix}-signature fits id, time, body and secret"
    return None if any(fits) else fault


def id_of(headers: Mapping[str, str]) -> str | None:
    """Name the event: the same in every try to send it."""
    return headers.get(f"{_prefix_of(headers)}-id")


def _prefix_of(headers: Mapping[str, str]) -> str:
    """Tell whose headers they are; all three are taken from one sender."""
    return next((one for one in _PREFIXES if f"{one}-id" in headers), _PREFIXES[0])
