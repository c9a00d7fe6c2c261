"""Who may ask for Premium Support, as of the create date (DOMAIN, "Who may ask")."""

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
    "unknown_account": "no such account is known; list it by `premium accounts import` or on "
    "accounts.v1, then nothing need be sent again for 24 hours",
    "not_bought": "the account has not bought Premium Support; use the standard support channels",
    "not_yet_valid": "the account's Premium Support begins after the create date",
    "expired": "the account's Premium Support had ended by the create date; renew it",
    "no_seat": "the requester had no paid seat at the create date; assign one, or let a user with "
    "a seat ask",
}


@dataclass(frozen=True, slots=True)
class Version:
    """An account as it was told from ``since`` on, its people as `digests` if there is a salt.

    Of the people, those suffice who are asked about.
    """

    since: datetime
    account: AccountListed
    salt: bytes | None = None

    def known_as(self, person: str) -> str:
        """Say by what a person stands in its lists."""
        return person if self.salt is None else _digest(person, self.salt).hex()


@dataclass(frozen=True, slots=True)
class Entitled:
    """The requester may ask: as whom, of which account as it was, by which purchase."""

    account: AccountListed
    role: Role
    purchase: Purchase


def entitlement(request: SupportRequest, versions: Sequence[Version]) -> Entitled | Refusal:
    """Judge a request by its account's versions, oldest first.

    Purchases are what is known now, for billing may tell of them late; who somebody is, is what
    was told by the create date: a later super admin changes no old promise.
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
    """Find a request's account as it was at the create date; None while it is not known."""
    return _as_of(versions, request.occurred_at).account if versions else None


def digests(people: Mapping[str, bool], salt: bytes) -> dict[bytes, bool]:
    """Keep of people what recognises them, and not their names."""
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
    """Find the version that stood then; before the first, the first is all that is known."""
    told = [version for version in versions if version.since <= at]
    return told[-1] if told else versions[0]
