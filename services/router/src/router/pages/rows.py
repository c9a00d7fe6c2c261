"""A ticket as a row of a page: its promises and its status, as plain values."""

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
from shared.tickets.due import CLOCKS_ADAPTER, ClockView
from shared.web.formatting import span
from shared.wording import Reader
from shared.wording.waiting import why_it_waits

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
_READER: Final = Reader(duration=span)


@dataclass(frozen=True, slots=True)
class Promised:
    """A promise in words, and the rule that it follows from."""

    kind: str
    promise_class: PromiseClass
    target: str | None
    due_at: datetime | None
    paused: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ringing:
    """An open offer and its lease."""

    offer_id: UUID
    since: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """A ticket at a glance; ``version`` grows with every event about it."""

    ticket_id: UUID
    account: str
    channel: Channel
    language: str
    severity: Severity
    claimed: bool
    """The customer claims that it is business-critical."""
    confirmed: bool
    """A specialist confirmed the severity."""
    promises: tuple[Promised, ...]
    promise_class: PromiseClass | None
    due_at: datetime | None
    paused: bool
    """Its clock is paused, because it waits for someone outside the team."""
    since: datetime
    holder: str | None
    waiting: bool
    replied: bool
    """The customer has replied to our answer."""
    turn: int
    version: int
    state: LifecycleState
    """Where it is in its life; empty while it waits for an answer."""
    waits: WaitReason | None = None
    """Why it waits, if known."""
    rings_at: datetime | None = None
    """When specialists who did not take it may be offered it again."""
    done_at: datetime | None = None
    pinned_to: str | None = None
    kept_for: str | None = None
    """The name of the specialist whom it is pinned to."""
    offer: Ringing | None = None
    offered_to: str | None = None

    @property
    def short(self) -> str:
        """Its id in the short form that people use."""
        return f"#{self.ticket_id.hex[:_SHORT].upper()}"

    @property
    def what(self) -> str:
        """The kind of request in words; empty if the channel says it."""
        named = {"phone": "callback", "chat": "", "email": self.severity.replace("_", "-")}
        return named[self.channel]

    @property
    def why_it_waits(self) -> str:
        """Why it waits, as a sentence; empty if that is unknown."""
        return "" if self.waits is None else why_it_waits(self.waits, self.kept_for, _READER)

    @property
    def done(self) -> bool:
        """No work is left."""
        return not self.waiting and self.holder is None and self.offer is None


def pool_of(record: Mapping[str, Any]) -> Pool | None:
    """Return the pool of a waiting ticket, None for others."""
    return Pool.named(record["pool"]) if record["waiting"] and record["pool"] else None


def row_of(record: Mapping[str, Any], waits: Mapping[Pool, WaitReason] | None = None) -> Row:
    """Build a row from a database record; ``waits`` has, for each pool, why its tickets wait."""
    accepted = record["accepted"]
    fact = None if accepted is None else TicketAccepted.model_validate_json(accepted)
    severity: Severity = record["severity"]
    clocks = CLOCKS_ADAPTER.validate_json(record["clocks"]).values()
    timed = first_due_clock(clocks, record["state"], record["answered_at"])
    return Row(
        ticket_id=record["ticket_id"],
        account=record["account_id"],
        channel=record["channel"],
        language=base_language(record["language"]),
        severity=severity,
        claimed=fact is not None and fact.claimed_severity == "business_critical",
        confirmed=bool(record["confirmed"]),
        promises=tuple(_promises(fact, severity, clocks)),
        promise_class=timed and timed.promise_class,
        due_at=timed and timed.due_at,
        paused=timed is not None and timed.state == "paused",
        since=(timed and timed.started_at) or record["create_date"],
        holder=record["specialist_id"],
        waiting=record["waiting"],
        replied=record["answered_at"] is not None and record["asked_at"] is not None,
        turn=record["turn"],
        version=record["version"],
        state=record["state"],
        waits=_waits(record, waits or {}),
        rings_at=record["rings_at"] if record["waiting"] else None,
        done_at=record.get("done_at"),
        pinned_to=record["pinned_to"],
        kept_for=record["kept_for"],
        offer=_ringing(record),
        offered_to=record.get("offered_to"),
    )


def _waits(record: Mapping[str, Any], waits: Mapping[Pool, WaitReason]) -> WaitReason | None:
    pool = pool_of(record)
    if pool is None:
        return None
    if record["rings_at"] is not None and waits.get(pool) in {"set_aside", "no_shift"}:
        return "no_answer"
    return "pinned" if record["pinned_to"] else waits.get(pool)


def _ringing(record: Mapping[str, Any]) -> Ringing | None:
    if record.get("offer_id") is None:
        return None
    return Ringing(record["offer_id"], record["offered_at"], record["lease_ends_at"])


def _promises(
    fact: TicketAccepted | None, severity: Severity, clocks: Collection[ClockView]
) -> Iterator[Promised]:
    """Yield the promises that have a clock, whether or not a due time is set."""
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
