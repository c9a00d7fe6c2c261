"""A ticket as a row shows it: what is promised, and where it stands. Values only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.matching import Pool
from router.roster import Waits
from router.ticket import base
from shared.events import TicketAccepted
from shared.promises import Channel, PromiseClass, Role, Severity
from shared.web.words import span

__all__ = ["Promised", "Ringing", "Row", "pool_of", "row_of"]

_KINDS: Final = {
    "first_response": "first response",
    "next_response": "next response",
    "resolution": "resolution",
    "callback": "callback",
    "join": "chat joined",
}
_ROLES: Final[Mapping[Role, str]] = {
    "super_admin": "a designated super admin asked",
    "seat": "a user with a paid seat asked",
}
_SHORT: Final = 6
_END: Final = ("resolved", "closed", "reached")


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise in words, and why it is this one."""

    kind: str
    promise_class: PromiseClass
    target: str
    due_at: datetime | None
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ringing:
    """An open offer: until its lease ends, the ticket may be accepted."""

    offer_id: UUID
    since: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """What there is to see of a ticket at a glance. ``version`` grows with all that happens."""

    ticket_id: UUID
    account: str
    channel: Channel
    language: str
    severity: Severity
    claimed: bool
    """The customer says it is business-critical."""
    confirmed: bool
    """A specialist found it so."""
    promises: tuple[Promised, ...]
    promise_class: PromiseClass | None
    due_at: datetime
    since: datetime
    holder: str | None
    waiting: bool
    turn: int
    version: int
    state: str
    """What is over, in a word, or nothing."""
    waits: Waits | None = None
    """Why it waits, as far as that is known."""
    done_at: datetime | None = None
    pinned_to: str | None = None
    offer: Ringing | None = None
    offered_to: str | None = None

    @property
    def short(self) -> str:
        """Its id as people say it."""
        return f"#{self.ticket_id.hex[:_SHORT].upper()}"

    @property
    def what(self) -> str:
        """The kind of request, where the channel does not say it all."""
        named = {"phone": "callback", "chat": "", "email": self.severity.replace("_", "-")}
        return named[self.channel]

    @property
    def done(self) -> bool:
        """Nothing is left to be done about it by anybody."""
        return not self.waiting and self.holder is None and self.offer is None


def pool_of(read: Mapping[str, Any]) -> Pool | None:
    """Name the pool of a row of the store's that waits."""
    return Pool.named(read["pool"]) if read["waiting"] and read["pool"] else None


def row_of(read: Mapping[str, Any], waits: Mapping[Pool, Waits] | None = None) -> Row:
    """Make a row of what the store reads; ``waits`` says why those of its pool do."""
    accepted = read["accepted"]
    fact = None if accepted is None else TicketAccepted.model_validate_json(accepted)
    severity: Severity = read["severity"]
    promises = _promises(fact, severity, read) if fact else ()
    due = [promise for promise in promises if promise.due_at is not None]
    first = min(due, key=lambda promise: promise.due_at or read["due_at"], default=None)
    return Row(
        ticket_id=read["ticket_id"],
        account=read["account_id"],
        channel=read["channel"],
        language=base(read["language"]),
        severity=severity,
        claimed=fact is not None and fact.claimed_severity == "business_critical",
        confirmed=bool(read["confirmed"]),
        promises=promises,
        promise_class=first.promise_class if first else None,
        due_at=read["due_at"],
        since=read["create_date"],
        holder=read["specialist_id"],
        waiting=read["waiting"],
        turn=read["turn"],
        version=read["version"],
        state=_state(read),
        waits=_waits(read, waits or {}),
        done_at=read.get("done_at"),
        pinned_to=read["pinned_to"],
        offer=_ringing(read),
        offered_to=read.get("offered_to"),
    )


def _waits(read: Mapping[str, Any], waits: Mapping[Pool, Waits]) -> Waits | None:
    pool = pool_of(read)
    if pool is None:
        return None
    return "pinned" if read["pinned_to"] else waits.get(pool)


def _ringing(read: Mapping[str, Any]) -> Ringing | None:
    if read.get("offer_id") is None:
        return None
    return Ringing(read["offer_id"], read["offered_at"], read["lease_ends_at"])


def _promises(
    fact: TicketAccepted, severity: Severity, read: Mapping[str, Any]
) -> tuple[Promised, ...]:
    return tuple(
        Promised(
            kind=_KINDS[promise.kind],
            promise_class=promise.promise_class,
            target=span(promise.target_s),
            due_at=promise.due_at,
            why=(
                _ROLES[fact.role],
                f"by {read['channel']}, {severity.replace('_', '-')}",
                f"rule {promise.rule} of policy {fact.policy}",
                *([f"exception: {promise.exception}"] if promise.exception else []),
                "it runs from the create date",
            ),
        )
        for promise in fact.promised(severity, read["create_date"])
    )


def _state(read: Mapping[str, Any]) -> str:
    latest = set(json.loads(read["latest"]))
    for end in _END:
        if end in latest:
            return end
    if "responded" in latest:
        return "joined" if read["channel"] == "chat" else "answered"
    return ""
