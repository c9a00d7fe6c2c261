"""The format of an API key. Services store only the SHA-256 of a key.

``pk_<prefix>_<secret>_<checksum>``, each part letters and digits. The prefix identifies the key and
is public; the secret has 256 bits; the checksum is the CRC-32 of the text before it, which detects
every single-character typing error.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["EVERY", "SCOPES", "ApiKey", "Keyed", "Scope", "make_key", "read_key"]

type Keyed = Literal["intake", "router", "sla-monitor"]
"""A service whose HTTP API requires keys."""
type Scope = Literal[
    "tickets:write",
    "tickets:read",
    "details:read",
    "subjects:erase",
    "desk:read",
    "desk:act",
    "desk:lead",
    "clocks:read",
]
"""A permission of a key."""

SCOPES: Final[Mapping[Keyed, tuple[Scope, ...]]] = {
    "intake": ("tickets:write", "tickets:read", "details:read", "subjects:erase"),
    "router": ("desk:read", "desk:act", "desk:lead"),
    "sla-monitor": ("clocks:read",),
}
"""The scopes of each service's API."""
EVERY: Final = "*"
"""Ownership of every source, specialist or account."""

_LETTERS: Final = string.digits + string.ascii_letters
_PREFIX_LETTERS: Final = 8
_SECRET_LETTERS: Final = 43  # the fewest letters and digits that hold 32 bytes
_CHECKSUM_LETTERS: Final = 6  # the fewest letters and digits that hold a CRC-32
_KEY: Final = re.compile(
    rf"(?P<body>pk_(?P<prefix>[0-9A-Za-z]{{{_PREFIX_LETTERS}}})_[0-9A-Za-z]{{{_SECRET_LETTERS}}})"
    rf"_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LETTERS}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key. Its `repr` leaves out the secret text."""

    prefix: str
    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The stored digest. A secret of 256 bits needs neither salt nor a slow hash."""
        return hashlib.sha256(self.text.encode()).digest()


def make_key() -> ApiKey:
    """Generate a random key."""
    prefix = _random(_PREFIX_LETTERS)
    body = f"pk_{prefix}_{_random(_SECRET_LETTERS)}"
    return ApiKey(prefix, f"{body}_{_checksum(body)}")


def read_key(text: str) -> ApiKey | None:
    """Parse a key; None if it is malformed or its checksum is wrong, as after a typing error."""
    match = _KEY.fullmatch(text)
    if match is None or match["checksum"] != _checksum(match["body"]):
        return None
    return ApiKey(match["prefix"], text)


def _random(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LETTERS):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return letters
