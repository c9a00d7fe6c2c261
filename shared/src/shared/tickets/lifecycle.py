"""The lifecycle of a ticket: a pure function from its facts to its status, for all services.

An answer is owed while the customer's last message is newer than our last response. A customer's
reply reopens a ticket that is not merged or erased; a closed one only within ``reopen_within``.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Literal, NamedTuple, assert_never
from uuid import UUID, uuid5

from shared.events import (
    AssignmentResponded,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketFact,
    TicketMerged,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import Cause, Channel

__all__ = [
    "AHEAD_MAX",
    "FactKind",
    "LifecycleFact",
    "Status",
    "TicketLife",
    "fact_of",
    "identity_of",
    "kind_of",
    "lifecycle",
    "lifecycle_steps",
    "ordered_facts",
]

type FactKind = Literal[
    "accepted",
    "responded",
    "reached",
    "replied",
    "waiting",
    "resumed",
    "resolved",
    "reopened",
    "closed",
    "merged",
    "absorbed",
    "erased",
    "other",
]
"""The effect of a fact on the lifecycle, whichever system sent it; ``other`` has none."""
type Status = Literal["open", "waiting", "answered", "resolved", "closed", "merged", "erased"]

AHEAD_MAX: Final = timedelta(minutes=15)
"""The tolerated clock difference between two systems: how far a create date may lie ahead."""

_KINDS: Final[dict[type[Event], FactKind]] = {
    TicketAccepted: "accepted",
    TicketResponded: "responded",
    AssignmentResponded: "responded",
    CustomerReached: "reached",
    CallbackSettled: "reached",
    CustomerReplied: "replied",
    TicketWaiting: "waiting",
    TicketResumed: "resumed",
    TicketResolved: "resolved",
    TicketReopened: "reopened",
    TicketClosed: "closed",
    TicketMerged: "merged",
    TicketAbsorbed: "absorbed",
    TicketErased: "erased",
}
_DETAILED: Final = frozenset[FactKind]({"accepted", "waiting", "absorbed"})
_PLACE: Final = attrgetter("at", "id")
_RELEASES: Final[dict[Channel, frozenset[FactKind]]] = {
    "email": frozenset({"responded", "resolved", "closed"}),
    "phone": frozenset({"reached", "responded", "resolved", "closed"}),
    "chat": frozenset({"resolved", "closed"}),
}
"""What ends a specialist's work on a ticket, by channel (ARCHITECTURE, "Capacity is held")."""


@dataclass(frozen=True, slots=True)
class LifecycleFact:
    """The part of a fact that the lifecycle needs. Copies of one fact have the same ``id``.

    ``waiting_for`` is set for waiting; ``channel`` and ``reopen_within`` for accepted;
    ``owed_since`` and ``reopens`` for absorbed: since when the customer of the duplicate waits for
    an answer, and whether the duplicate was not over yet.
    """

    kind: FactKind
    at: datetime
    id: UUID
    waiting_for: Cause | None = None
    channel: Channel | None = None
    reopen_within: timedelta | None = None
    owed_since: datetime | None = None
    reopens: bool = False


class TicketLife(NamedTuple):
    """The state of a ticket after some of its facts.

    ``since`` is when the status last changed. ``unanswered_since`` is the time of the first
    customer message without a response. ``released``: no specialist is needed.
    ``reopened_unanswered``: reopened, and no response since. ``resolved`` and ``closed`` are the
    first facts of their kind since the ticket was last open; ``ended`` is a merge or an erasure.
    """

    opened: LifecycleFact
    since: datetime
    unanswered_since: datetime | None
    released: bool = False
    answered: bool = False
    reopened_unanswered: bool = False
    waiting_for: Cause | None = None
    resolved: LifecycleFact | None = None
    closed: LifecycleFact | None = None
    ended: LifecycleFact | None = None

    @property
    def status(self) -> Status:
        """The status, which holds from ``since`` on."""
        if self.ended is not None:
            return "erased" if self.ended.kind == "erased" else "merged"
        if self.closed is not None:
            return "closed"
        if self.resolved is not None:
            return "resolved"
        if self.waiting_for is not None:
            return "waiting"
        return (
            "open" if self.unanswered_since is not None or self.reopened_unanswered else "answered"
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done, unless the ticket is reopened."""
        return self.status in ("resolved", "closed", "merged", "erased")

    @property
    def owed_since(self) -> datetime | None:
        """The time of the customer message since which an answer is owed; None if none is."""
        return None if self.is_over else self.unanswered_since

    @property
    def needs_specialist(self) -> bool:
        """Whether a specialist must have the ticket; what fact ends that depends on the channel."""
        return not self.released

    @property
    def reopens_until(self) -> datetime | None:
        """Until when a reply reopens a closed ticket; None if the ticket is not closed."""
        within = self.opened.reopen_within
        if self.closed is None or within is None:
            return None
        return self.closed.at + within

    def accepts_reply(self, at: datetime) -> bool:
        """Whether a reply of the customer at that instant belongs to this ticket."""
        until = self.reopens_until
        return self.ended is None and (until is None or at <= until)


def kind_of(event: Event) -> FactKind:
    """Return an event's effect on the lifecycle of its ticket.

    A `CallbackSettled` in which router repeats an upstream event of the same ticket has none.
    """
    kind = _KINDS.get(type(event), "other")
    if kind == "reached" and isinstance(event, CallbackSettled):
        return "other" if event.how == "reached" and event.on == event.ticket_id else kind
    return kind


def fact_of(envelope: Envelope[Event]) -> LifecycleFact:
    """Extract from an event the part that the lifecycle needs."""
    kind, at, name = kind_of(envelope.event), envelope.time, identity_of(envelope)
    if kind not in _DETAILED:
        return LifecycleFact(kind, at, name)
    match envelope.event:
        case TicketAccepted(channel=channel, reopen_within_s=seconds):
            within = timedelta(seconds=seconds)
            return LifecycleFact(kind, at, name, channel=channel, reopen_within=within)
        case TicketWaiting(waiting_for=cause):
            return LifecycleFact(kind, at, name, waiting_for=cause)
        case TicketAbsorbed(owed_since=owed_since, reopens=reopens):
            return LifecycleFact(kind, at, name, owed_since=owed_since, reopens=reopens)
        case _:
            return LifecycleFact(kind, at, name)


def identity_of(envelope: Envelope[Event]) -> UUID:
    """Derive a fact's id from its content: facts that differ only in their event id are one.

    Only facts from upstream can arrive twice under two ids; other ids are derived already.
    """
    event = envelope.event
    if not isinstance(event, TicketFact) or isinstance(event, TicketAccepted | TicketAbsorbed):
        return envelope.id
    is_plain = len(type(event).model_fields) == 1
    content = "" if is_plain else event.model_dump_json(exclude={"ticket_id"})
    return uuid5(event.ticket_id, f"{event.type}\x1f{envelope.time.isoformat()}\x1f{content}")


def lifecycle(facts: Iterable[LifecycleFact]) -> TicketLife | None:
    """Return a ticket's state after these facts, given in any order; None if none accepts it."""
    return next(iter(deque(lifecycle_steps(ordered_facts(facts)), maxlen=1)), None)


def ordered_facts(facts: Iterable[LifecycleFact]) -> list[LifecycleFact]:
    """Sort facts by time and id, the request first; return [] before the ticket is accepted.

    Clocks of systems differ: a fact up to AHEAD_MAX before the request is moved to the request's
    time. Earlier facts cannot be about this request and are dropped, except an erasure and a merged
    duplicate.
    """
    ordered = sorted({fact.id: fact for fact in facts}.values(), key=_PLACE)
    opened = next((fact for fact in ordered if fact.kind == "accepted"), None)
    if opened is None:
        return []
    if ordered[0] is opened:
        return ordered
    earliest = opened.at - AHEAD_MAX
    later = (f for f in ordered if f.at >= earliest or f.kind in ("absorbed", "erased"))
    dated = (f if f.at >= opened.at else replace(f, at=opened.at) for f in later)
    return [opened, *(fact for fact in dated if fact is not opened)]


def lifecycle_steps(ordered: Iterable[LifecycleFact]) -> Iterator[TicketLife]:
    """Yield a ticket's state after each of its facts, which must be in order."""
    life: TicketLife | None = None
    for fact in ordered:
        if life is None:
            life = TicketLife(opened=fact, since=fact.at, unanswered_since=fact.at)
        elif fact.kind != "other":
            after = _after(life, fact)
            life = after if after.status == life.status else after._replace(since=fact.at)
        yield life


def _after(life: TicketLife, fact: LifecycleFact) -> TicketLife:
    if life.ended is not None and fact.kind != "erased":
        return life
    match fact.kind:
        case "merged" | "erased":
            life = life._replace(ended=fact, released=True)
        case "responded" | "reached" | "resolved":
            life = _answered(life, fact)
        case "closed":
            life = life._replace(closed=life.closed or fact, released=True)
        case "waiting" | "resumed":
            life = life._replace(waiting_for=fact.waiting_for)
        case "replied" | "reopened" | "absorbed":
            life = _maybe_reopened(life, fact)
        case "accepted" | "other":
            pass
        case _:
            assert_never(fact.kind)
    return life


def _answered(life: TicketLife, fact: LifecycleFact) -> TicketLife:
    channel = life.opened.channel
    releases = channel is not None and fact.kind in _RELEASES[channel]
    return life._replace(
        unanswered_since=None,
        answered=True,
        reopened_unanswered=False,
        released=life.released or releases,
        resolved=life.resolved or (fact if fact.kind == "resolved" else None),
    )


def _maybe_reopened(life: TicketLife, fact: LifecycleFact) -> TicketLife:
    """Apply a fact that may reopen the ticket: a reply, a merged duplicate, or a reopening."""
    if fact.kind == "replied" and life.accepts_reply(fact.at):
        return _asked(life, fact.at)
    if fact.kind == "absorbed" and fact.owed_since is not None:
        return _asked(life, fact.owed_since)
    reopens = fact.reopens and life.is_over
    return _brought_back(life) if reopens or fact.kind == "reopened" else life


def _asked(life: TicketLife, at: datetime) -> TicketLife:
    """Reopen the ticket for a customer message; an answer is owed since the first unanswered."""
    first = at if life.unanswered_since is None else min(life.unanswered_since, at)
    return _brought_back(life)._replace(unanswered_since=first)


def _brought_back(life: TicketLife) -> TicketLife:
    return life._replace(
        reopened_unanswered=True, released=False, waiting_for=None, resolved=None, closed=None
    )
