"""An API key in force: its owner, scopes and rate limit."""

import hmac
from dataclasses import dataclass

from shared.platform.access.limits import Rate
from shared.platform.api_keys import EVERY, ApiKey, Scope

__all__ = ["Key", "bearer_of"]

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Key:
    """A key in force. ``owned``: sources at intake, specialists at router, accounts elsewhere."""

    prefix: str
    digest: bytes
    tenant: str
    name: str
    scopes: frozenset[str]
    owned: frozenset[str]
    rate: Rate

    def matches(self, presented: ApiKey) -> bool:
        """Compare in constant time, so that response times do not reveal the digest."""
        return hmac.compare_digest(self.digest, presented.digest)

    def may(self, scope: Scope) -> bool:
        """Return whether the key has a scope."""
        return scope in self.scopes

    def owns(self, what: str) -> bool:
        """Return whether the tenant owns a source, specialist or account."""
        return what in self.owned or EVERY in self.owned


def bearer_of(authorization: str | None) -> str | None:
    """Return the bearer token of an Authorization header (RFC 6750); None if there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == _SCHEME else None
