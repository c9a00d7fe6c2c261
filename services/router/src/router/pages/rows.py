"""A ticket as a row shows it: what is promised, and where it stands. Values only."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.domain.matching import Pool
from router.domain.roster import WaitReason
from router.domain.ticket import base_language, first_due_clock
from router.domain.ticket_status import LifecycleState
from shared.events import TicketAccepted
from shared.sla.promises import Channel, Promise, PromiseClass, Role, Severity
from shared.tickets.due import CLOCKS, Timed
from shared.web.formatting import span

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


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise in words, and why it is this one."""

    kind: str
    promise_class: PromiseClass
    target: str | None
    due_at: datetime | None
    paused: bool
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
    due_at: datetime | None
    paused: bool
    """Nothing is due while it waits for somebody outside."""
    since: datetime
    holder: str | None
    waiting: bool
    replied: bool
    """The customer wrote again after our answer."""
    turn: int
    version: int
    state: LifecycleState
    """How it stands in a word; empty while it is simply to be answered."""
    waits: WaitReason | None = None
    """Why it waits, as far as that is known."""
    rings_at: datetime | None = None
    """When it rings again at those who did not take it."""
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


def row_of(read: Mapping[str, Any], waits: Mapping[Pool, WaitReason] | None = None) -> Row:
    """Make a row of what the store reads; ``waits`` says why those of its pool do."""
    accepted = read["accepted"]
    fact = None if accepted is None else TicketAccepted.model_validate_json(accepted)
    severity: Severity = read["severity"]
    clocks = CLOCKS.validate_json(read["clocks"]).values()
    timed = first_due_clock(clocks, read["state"], read["answered_at"])
    return Row(
        ticket_id=read["ticket_id"],
        account=read["account_id"],
        channel=read["channel"],
        language=base_language(read["language"]),
        severity=severity,
        claimed=fact is not None and fact.claimed_severity == "business_critical",
        confirmed=bool(read["confirmed"]),
        promises=tuple(_promises(fact, severity, clocks)),
        promise_class=timed and timed.promise_class,
        due_at=timed and timed.due_at,
        paused=timed is not None and timed.state == "paused",
        since=(timed and timed.started_at) or read["create_date"],
        holder=read["specialist_id"],
        waiting=read["waiting"],
        replied=read["answered_at"] is not None and read["asked_at"] is not None,
        turn=read["turn"],
        version=read["version"],
        state=read["state"],
        waits=_waits(read, waits or {}),
        rings_at=read["rings_at"] if read["waiting"] else None,
        done_at=read.get("done_at"),
        pinned_to=read["pinned_to"],
        offer=_ringing(read),
        offered_to=read.get("offered_to"),
    )


def _waits(read: Mapping[str, Any], waits: Mapping[Pool, WaitReason]) -> WaitReason | None:
    pool = pool_of(read)
    if pool is None:
        return None
    if read["rings_at"] is not None and waits.get(pool) in {"set_aside", "no_shift"}:
        return "no_answer"
    return "pinned" if read["pinned_to"] else waits.get(pool)


def _ringing(read: Mapping[str, Any]) -> Ringing | None:
    if read.get("offer_id") is None:
        return None
    return Ringing(read["offer_id"], read["offered_at"], read["lease_ends_at"])


def _promises(
    fact: TicketAccepted | None, severity: Severity, clocks: Collection[Timed]
) -> Iterator[Promised]:
    """List what is timed, or will be once the customer writes again."""
    promised = {} if fact is None else {p.kind: p for p in _agreed(fact, severity)}
    for clock in clocks:
        promise = promised.get(clock.kind)
        target_s = clock.target_s or (None if promise is None else promise.target_s)
        yield Promised(
            kind=_KINDS[clock.kind],
            promise_class=clock.promise_class,
            target=None if target_s is None else span(target_s),
            due_at=clock.due_at,
            paused=clock.state == "paused",
            why=() if fact is None or promise is None else _why(fact, promise, severity),
        )


def _agreed(fact: TicketAccepted, severity: Severity) -> tuple[Promise, ...]:
    return fact.promises if severity == fact.severity else fact.if_reclassified.get(severity, ())


def _why(fact: TicketAccepted, promise: Promise, severity: Severity) -> tuple[str, ...]:
    return (
        _ROLES[fact.role],
        f"by {fact.channel}, {severity.replace('_', '-')}",
        f"rule {promise.rule} of policy {fact.policy}",
        *([f"exception: {promise.exception}"] if promise.exception else []),
        "it runs from the customer's reply"
        if promise.kind == "next_response"
        else "it runs from the create date",
    )
