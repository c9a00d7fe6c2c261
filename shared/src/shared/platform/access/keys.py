"""What a key lets its holder do."""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from shared.platform.access.limits import Rate
from shared.platform.api_keys import EVERY, ApiKey, Scope

__all__ = ["Key", "bearer_of"]

_SCHEME = "bearer"
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Key:
    """A key in force, and what it reaches: sources at intake, specialists at router, accounts."""

    prefix: str
    digest: bytes
    tenant: str
    name: str
    scopes: frozenset[str]
    owned: frozenset[str]
    rate: Rate

    def is_that_of(self, shown: ApiKey) -> bool:
        """Compare in constant time, so that nobody learns a digest by its first bytes."""
        return hmac.compare_digest(self.digest, shown.digest)

    def may(self, scope: Scope) -> bool:
        """Say whether it was made for this."""
        return scope in self.scopes

    def owns(self, what: str) -> bool:
        """Say whether the tenant speaks for it."""
        return what in self.owned or EVERY in self.owned

    def idempotency_key_hash(self, idempotency_key: str) -> str:
        """Keep a digest of an Idempotency-Key: a sender may make it of a person's name.

        In quotes it is a String of structured fields (RFC 9651), and the same without them.
        """
        text = idempotency_key
        if text.startswith('"'):
            text = _ESCAPED.sub(r"\1", text[1:-1])
        return sha256(f"{self.tenant}/{text}".encode()).hexdigest()


def bearer_of(authorization: str | None) -> str | None:
    """Take the token out of an Authorization header (RFC 6750); None if there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == _SCHEME else None
