"""The life of a ticket: one pure function from the set of its facts, for all services.

A ticket owes an answer when the customer's last word is newer than our last response. A
customer's reply brings it back, whatever its state; from closed, while the policy's
``reopen_within`` lasts.
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
"""What a fact is to the life of a ticket, whoever sends it; ``other`` changes nothing of it."""
type Status = Literal["open", "waiting", "answered", "resolved", "closed", "merged", "erased"]

AHEAD_MAX: Final = timedelta(minutes=15)
"""By how much clocks of two systems may differ: a create date may lie so far ahead of ours."""

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
"""What ends a specialist's work on a ticket (ARCHITECTURE, "Capacity is held")."""


@dataclass(frozen=True, slots=True)
class LifecycleFact:
    """What the life of a ticket needs of a fact. Copies of one fact have one ``id``.

    ``waiting_for`` goes with waiting; ``channel`` and ``reopen_within`` with accepted;
    ``owed_since`` and ``reopens`` with absorbed: since when the customer of the duplicate waits
    for an answer, and whether the duplicate was still open.
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
    """A ticket as its facts up to some moment leave it.

    ``unanswered_since`` is the first word of the customer that is not answered yet. ``resolved``,
    ``closed`` and ``ended`` are the facts that stand: the first of their kind since the ticket
    was last open.
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
        """How it stands, ``since`` then."""
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
        """Nothing more is to be done, unless it is brought back."""
        return self.status in ("resolved", "closed", "merged", "erased")

    @property
    def owed_since(self) -> datetime | None:
        """Since which word of the customer an answer is owed; None where none is."""
        return None if self.is_over else self.unanswered_since

    @property
    def needs_specialist(self) -> bool:
        """Whether a specialist must own it: what ends their work depends on the channel."""
        return not self.released

    @property
    def reopens_until(self) -> datetime | None:
        """Up to when a reply reopens what is closed; None where no such limit applies."""
        within = self.opened.reopen_within
        if self.closed is None or within is None:
            return None
        return self.closed.at + within

    def accepts_reply(self, at: datetime) -> bool:
        """Whether a reply of the customer at that instant counts for this ticket."""
        until = self.reopens_until
        return self.ended is None and (until is None or at <= until)


def kind_of(event: Event) -> FactKind:
    """Name what an event is to the life of its ticket.

    That a customer was reached is not news where router repeats what upstream said of that ticket.
    """
    kind = _KINDS.get(type(event), "other")
    if kind == "reached" and isinstance(event, CallbackSettled):
        return "other" if event.how == "reached" and event.on == event.ticket_id else kind
    return kind


def fact_of(envelope: Envelope[Event]) -> LifecycleFact:
    """Keep what the life of a ticket needs of an event."""
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
    """Name a fact by what it says: two that are equal in all but their event id are one.

    Only what upstream systems say can come twice under two ids; other ids are derived already.
    """
    event = envelope.event
    if not isinstance(event, TicketFact) or isinstance(event, TicketAccepted | TicketAbsorbed):
        return envelope.id
    is_plain = len(type(event).model_fields) == 1
    content = "" if is_plain else event.model_dump_json(exclude={"ticket_id"})
    return uuid5(event.ticket_id, f"{event.type}\x1f{envelope.time.isoformat()}\x1f{content}")


def lifecycle(facts: Iterable[LifecycleFact]) -> TicketLife | None:
    """Say how a ticket stands by the set of its facts; None before it is accepted."""
    return next(iter(deque(lifecycle_steps(ordered_facts(facts)), maxlen=1)), None)


def ordered_facts(facts: Iterable[LifecycleFact]) -> list[LifecycleFact]:
    """Put facts in order of time and id, the request first; empty before it is accepted.

    What is dated up to AHEAD_MAX before the request is taken to be at its instant, for clocks
    differ. What is dated earlier answers nothing of it: only an erasure still counts, and a
    duplicate that was merged into it.
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
    """Say how a ticket stands after each of its facts, which are in order."""
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
            life = _called_back(life, fact)
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


def _called_back(life: TicketLife, fact: LifecycleFact) -> TicketLife:
    """Let the customer, a duplicate's customer, or one of us bring the ticket back."""
    if fact.kind == "replied" and life.accepts_reply(fact.at):
        return _asked(life, fact.at)
    if fact.kind == "absorbed" and fact.owed_since is not None:
        return _asked(life, fact.owed_since)
    reopens = fact.reopens and life.is_over
    return _brought_back(life) if reopens or fact.kind == "reopened" else life


def _asked(life: TicketLife, at: datetime) -> TicketLife:
    """Let the customer's word bring the ticket back; of several the first is owed an answer."""
    first = at if life.unanswered_since is None else min(life.unanswered_since, at)
    return _brought_back(life)._replace(unanswered_since=first)


def _brought_back(life: TicketLife) -> TicketLife:
    return life._replace(
        reopened_unanswered=True, released=False, waiting_for=None, resolved=None, closed=None
    )
