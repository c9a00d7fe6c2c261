"""The text of an API key: made once, checked for typing errors, kept as its SHA-256 alone.

``pk_<prefix>_<secret>_<checksum>``, all of it letters and digits. The prefix names the key and is
no secret; the secret has 256 bits; the checksum is the CRC-32 of what stands before it, which finds
every change of a single character.
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
"""A service whose door wants keys."""
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
"""What a key may do."""

SCOPES: Final[Mapping[Keyed, tuple[Scope, ...]]] = {
    "intake": ("tickets:write", "tickets:read", "details:read", "subjects:erase"),
    "router": ("desk:read", "desk:act", "desk:lead"),
    "sla-monitor": ("clocks:read",),
}
"""What there is to do at each door."""
EVERY: Final = "*"
"""Every source that can be owned, every specialist, every account."""

_LETTERS: Final = string.digits + string.ascii_letters
_PREFIX_LETTERS: Final = 8
_SECRET_LETTERS: Final = 43  # the fewest that hold 32 bytes
_CHECKSUM_LETTERS: Final = 6  # the fewest that hold a CRC-32
_KEY: Final = re.compile(
    rf"(?P<told>pk_(?P<prefix>[0-9A-Za-z]{{{_PREFIX_LETTERS}}})_[0-9A-Za-z]{{{_SECRET_LETTERS}}})"
    rf"_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LETTERS}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key. Its text is shown to nobody by accident."""

    prefix: str
    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is kept of it: a secret of 256 bits needs neither salt nor a slow hash."""
        return hashlib.sha256(self.text.encode()).digest()


def make_key() -> ApiKey:
    """Draw a new key by lot."""
    prefix = _drawn(_PREFIX_LETTERS)
    told = f"pk_{prefix}_{_drawn(_SECRET_LETTERS)}"
    return ApiKey(prefix, f"{told}_{_checksum(told)}")


def read_key(text: str) -> ApiKey | None:
    """Read a key; None for what was never made as one, such as a key with a typing error."""
    match = _KEY.fullmatch(text)
    if match is None or match["checksum"] != _checksum(match["told"]):
        return None
    return ApiKey(match["prefix"], text)


def _drawn(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _checksum(told: str) -> str:
    number, letters = zlib.crc32(told.encode()), ""
    for _ in range(_CHECKSUM_LETTERS):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return letters
