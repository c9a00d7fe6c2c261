"""Entitlement: whether account and requester could ask for Premium Support at the create date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from shared.events import EVERYONE, AccountListed, Purchase, Refusal, SupportRequest
from shared.sla.promises import Role

__all__ = ["REMEDIES", "Entitled", "Version", "account_of", "digests", "entitlement"]

REMEDIES: Final[dict[Refusal, str]] = {
    "mobile_app": "Premium Support is not available in the mobile app; ask in the web app",
    "unknown_account": "the account is not known; add it with `premium accounts import` or on "
    "accounts.v1 within 24 hours, then the request is decided again without being sent again",
    "not_bought": "the account has not bought Premium Support; use the standard support channels",
    "not_yet_valid": "the account's Premium Support begins after the create date",
    "expired": "the account's Premium Support ended before the create date; renew it",
    "no_seat": "the requester had no paid seat at the create date; assign one, or have a user with "
    "a seat ask",
}


@dataclass(frozen=True, slots=True)
class Version:
    """An account as listed from ``since`` on.

    With a ``salt``, its people are `digests` instead of names. It may leave out people whose
    requests are not decided now.
    """

    since: datetime
    account: AccountListed
    salt: bytes | None = None

    def known_as(self, person: str) -> str:
        """Return how a person is named in the version's lists: by name, or by digest."""
        return person if self.salt is None else _digest(person, self.salt).hex()


@dataclass(frozen=True, slots=True)
class Entitled:
    """The requester may ask: with this role, of this account version, by this purchase."""

    account: AccountListed
    role: Role
    purchase: Purchase


def entitlement(request: SupportRequest, versions: Sequence[Version]) -> Entitled | Refusal:
    """Decide whether a request's account and requester may ask; ``versions`` are oldest first.

    The latest version decides on purchases, because billing may report them late. The version of
    the create date decides on the requester's role: a later change does not affect old promises.
    """
    if request.asked_in == "mobile_app":
        return "mobile_app"
    if not versions:
        return "unknown_account"
    at = request.occurred_at
    purchase = _purchase(versions[-1].account.purchases, at)
    if not isinstance(purchase, Purchase):
        return purchase
    version = _as_of(versions, at)
    account, requester = version.account, version.known_as(request.requester_id)
    if requester in account.super_admins:
        return Entitled(account, "super_admin", purchase)
    if account.seats == EVERYONE or requester in account.seats:
        return Entitled(account, "seat", purchase)
    return "no_seat"


def account_of(request: SupportRequest, versions: Sequence[Version]) -> AccountListed | None:
    """Return a request's account as of the create date; None while it is not known."""
    return _as_of(versions, request.occurred_at).account if versions else None


def digests(people: Mapping[str, bool], salt: bytes) -> dict[bytes, bool]:
    """Replace people's names by salted digests, by which they can be recognised."""
    return {_digest(person, salt): super_admin for person, super_admin in people.items()}


def _digest(person: str, salt: bytes) -> bytes:
    return sha256(salt + person.encode()).digest()


def _purchase(purchases: Sequence[Purchase], at: datetime) -> Purchase | Refusal:
    for purchase in purchases:
        if purchase.since <= at and (purchase.until is None or at < purchase.until):
            return purchase
    if not purchases:
        return "not_bought"
    return "not_yet_valid" if all(at < p.since for p in purchases) else "expired"


def _as_of(versions: Sequence[Version], at: datetime) -> Version:
    """Return the version in force at a time; before the first version, the first."""
    earlier = [version for version in versions if version.since <= at]
    return earlier[-1] if earlier else versions[0]
