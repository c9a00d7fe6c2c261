"""A clock: one promise being timed, and what has been announced of it."""

from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from shared.events import Cancellation, Envelope, Event, Part
from shared.sla.promises import Channel, PromiseClass, PromiseKind, Severity

__all__ = ["Broken", "Cause", "Clock", "Fact", "Key", "Phase", "State"]

type Fact = Envelope[Event]
"""What happened to a ticket, whoever tells: upstream, the router, the notifier."""
type State = Literal["running", "paused", "met", "cancelled"]
type Broken = Literal["breached", "missed"]
type Phase = tuple[Part, int]
"""Where the time went, from so many milliseconds after the start on."""
type Key = tuple[UUID, PromiseKind, UUID]
"""Ticket, kind, and the fact that started it: a kind may recur."""


class Cause(Protocol):
    """Why clocks are judged anew: a fact, or a change of what is declared."""

    @property
    def id(self) -> UUID:
        """From this the ids of what is announced are derived."""

    @property
    def time(self) -> datetime:
        """When it happened."""

    @property
    def traceparent(self) -> str | None:
        """The trace it belongs to."""


class Clock(NamedTuple):
    """``derive`` fills in what the facts come to, the last four say what has been announced.

    ``due_at`` is None while nothing is due (paused before it was used up). ``warn_at`` says when
    each of ``warn_used_s``, seconds of the target, is used up. What ``recurs`` was not started by
    the request: there may be several of its kind. ``warned_s`` is the greatest of the warnings
    announced; ``retractions`` tells what is announced anew, after a breach was taken back or
    another target set, from what was announced before.
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
        """What names it."""
        return self.ticket_id, self.kind, self.started_by

    @property
    def is_open(self) -> bool:
        """Somebody still has to answer."""
        return self.state in ("running", "paused")

    @property
    def is_in_time(self) -> bool:
        """It was settled before anything was due."""
        if self.settled_at is None:
            return False
        return self.due_at is None or self.settled_at <= self.due_at

    @property
    def breaks_as(self) -> Broken:
        """What it is called when it is broken: only a guarantee is breached."""
        return "breached" if self.promise_class == "guarantee" else "missed"

    def is_late(self, now: datetime) -> bool:
        """Tell whether the promise is broken by ``now``: due, and not settled in time."""
        return self.due_at is not None and self.due_at <= now and not self.is_in_time

    def warnings_left(self) -> list[tuple[int, datetime]]:
        """List the warnings still to come: none for a clock that is settled or paused."""
        if self.state != "running" or self.broken is not None:
            return []
        return [
            (used_s, at)
            for used_s, at in zip(self.warn_used_s, self.warn_at, strict=True)
            if at is not None and used_s > self.warned_s
        ]

    def next_at(self) -> datetime | None:
        """Say when there will next be something to announce, if no further fact comes."""
        if self.broken is not None:
            return None
        instants = [at for _, at in self.warnings_left()]
        if self.due_at is not None and not self.is_in_time:
            instants.append(self.due_at)
        return min(instants, default=None)
