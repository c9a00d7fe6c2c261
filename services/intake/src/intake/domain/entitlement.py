"""Who may ask for Premium Support, as of the create date (DOMAIN, "Who may ask")."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.events import EVERYONE, AccountListed, Purchase, Refusal, SupportRequest
from shared.promises import Role

__all__ = ["REMEDIES", "Entitled", "Version", "entitlement"]

REMEDIES: Final[dict[Refusal, str]] = {
    "mobile_app": "Premium Support is not available in the mobile app; ask in the web app",
    "unknown_account": "no such account has been told of; list it on accounts.v1, then nothing "
    "need be sent again for 24 hours",
    "not_bought": "the account has not bought Premium Support; use the standard support channels",
    "not_yet_valid": "the account's Premium Support begins after the create date",
    "expired": "the account's Premium Support had ended by the create date; renew it",
    "no_seat": "the requester had no paid seat at the create date; assign one, or let a user with "
    "a seat ask",
}


@dataclass(frozen=True, slots=True)
class Version:
    """An account as it was told from ``since`` on."""

    since: datetime
    account: AccountListed


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
    account = _as_of(versions, at)
    if request.requester_id in account.super_admins:
        return Entitled(account, "super_admin", purchase)
    if account.seats == EVERYONE or request.requester_id in account.seats:
        return Entitled(account, "seat", purchase)
    return "no_seat"


def _purchase(purchases: Sequence[Purchase], at: datetime) -> Purchase | Refusal:
    for purchase in purchases:
        if purchase.since <= at and (purchase.until is None or at < purchase.until):
            return purchase
    if not purchases:
        return "not_bought"
    return "not_yet_valid" if all(at < p.since for p in purchases) else "expired"


def _as_of(versions: Sequence[Version], at: datetime) -> AccountListed:
    """Find the version that stood then; before the first, the first is all that is known."""
    told = [version.account for version in versions if version.since <= at]
    return told[-1] if told else versions[0].account
