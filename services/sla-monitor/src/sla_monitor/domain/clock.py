"""A clock: one promise being timed, and what was announced about it."""

from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from shared.events import Cancellation, Envelope, Event, Part
from shared.sla.promises import Channel, PromiseClass, PromiseKind, Severity

__all__ = ["Broken", "Cause", "Clock", "Fact", "Key", "Phase", "State"]

type Fact = Envelope[Event]
"""An event about a ticket, from intake, router or notifier."""
type State = Literal["running", "paused", "met", "cancelled"]
type Broken = Literal["breached", "missed"]
type Phase = tuple[Part, int]
"""A part of the breakdown, and its beginning in milliseconds after the clock's start."""
type Key = tuple[UUID, PromiseKind, UUID]
"""Ticket, kind, and the id of the fact that started the clock, because a kind may recur."""


class Cause(Protocol):
    """Why clocks are evaluated: a fact, or a change of declared exceptions."""

    @property
    def id(self) -> UUID:
        """The id from which the ids of announced events are derived."""

    @property
    def time(self) -> datetime:
        """When it occurred."""

    @property
    def traceparent(self) -> str | None:
        """Its trace context."""


class Clock(NamedTuple):
    """A clock as derived from the facts. The last four fields record what was announced.

    ``due_at`` is None while nothing is due (paused before the target was used up). ``warn_used_s``
    are numbers of seconds of the target; ``warn_at`` has for each the time when they are used up. A
    clock that ``recurs`` was not started by the request; a ticket may have several of its kind.
    ``warned_s`` is the largest of ``warn_used_s`` that was announced. ``retractions`` counts
    retracted breaches and changed targets; it makes the ids of repeated announcements differ.
    """

    ticket_id: UUID
    kind: PromiseKind
    started_by: UUID
    promise_class: PromiseClass
    exception: str | None
    account_id: str
    channel: Channel
    severity: Severity
    target_s: int
    started_at: datetime
    due_at: datetime | None
    state: State
    settled_at: datetime | None
    cancelled_for: Cancellation | None
    warn_used_s: tuple[int, ...]
    warn_at: tuple[datetime | None, ...]
    phases: tuple[Phase, ...]
    recurs: bool = False
    warned_s: int = 0
    broken: Broken | None = None
    broken_id: UUID | None = None
    retractions: int = 0

    @property
    def key(self) -> Key:
        """The key of the clock."""
        return self.ticket_id, self.kind, self.started_by

    @property
    def is_open(self) -> bool:
        """Whether an answer is still owed."""
        return self.state in ("running", "paused")

    @property
    def is_in_time(self) -> bool:
        """Whether it was settled, and not after its due time, if it had one."""
        if self.settled_at is None:
            return False
        return self.due_at is None or self.settled_at <= self.due_at

    @property
    def breaks_as(self) -> Broken:
        """How it counts when broken: "breached" for a guarantee, "missed" for an objective."""
        return "breached" if self.promise_class == "guarantee" else "missed"

    def is_late(self, now: datetime) -> bool:
        """Return whether the promise is broken by ``now``: due, and not settled in time."""
        return self.due_at is not None and self.due_at <= now and not self.is_in_time

    def warnings_left(self) -> list[tuple[int, datetime]]:
        """Return (seconds used, time) of warnings to announce; none if broken or not running."""
        if self.state != "running" or self.broken is not None:
            return []
        return [
            (used_s, at)
            for used_s, at in zip(self.warn_used_s, self.warn_at, strict=True)
            if at is not None and used_s > self.warned_s
        ]

    def next_at(self) -> datetime | None:
        """Return when the next warning or breach is due, if no fact arrives before; or None."""
        if self.broken is not None:
            return None
        instants = [at for _, at in self.warnings_left()]
        if self.due_at is not None and not self.is_in_time:
            instants.append(self.due_at)
        return min(instants, default=None)
