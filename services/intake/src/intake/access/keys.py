"""What a key lets its holder do."""

import hmac
from dataclasses import dataclass

from intake.access.limits import Rate
from shared.keys import EVERY_SOURCE, ApiKey, Scope

__all__ = ["Key", "bearer_of"]

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Key:
    """A key in force, and the sources that its tenant owns."""

    prefix: str
    digest: bytes
    tenant: str
    scopes: frozenset[str]
    sources: frozenset[str]
    rate: Rate

    def is_that_of(self, shown: ApiKey) -> bool:
        """Compare in constant time, so that nobody learns a digest by its first bytes."""
        return hmac.compare_digest(self.digest, shown.digest)

    def may(self, scope: Scope) -> bool:
        """Say whether it was made for this."""
        return scope in self.scopes

    def owns(self, source: str) -> bool:
        """Say whether what comes from ``source`` is the tenant's to send and to read."""
        return source in self.sources or EVERY_SOURCE in self.sources


def bearer_of(authorization: str | None) -> str | None:
    """Take the token out of an Authorization header (RFC 6750); None if there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == _SCHEME else None
