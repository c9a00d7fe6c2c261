"""The fields of sla-monitor's responses that an explanation shows; all others are ignored."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events import Cancellation, Retraction
from shared.sla.promises import PromiseKind

__all__ = ["Change", "Clock", "Clocks", "Entry", "Span", "Ticket", "Timeline"]


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ticket(_Response):
    """The request of a ticket."""

    source: str
    external_id: str
    account_id: str
    channel: str
    severity: str
    time_zone: str
    created_at: datetime
    policy: str


class Calendar(_Response):
    """The calendar by which a target is counted."""

    name: str
    zone: str


class Remaining(_Response):
    """The time left, negative when over."""

    business_ms: int


class PausedSpan(_Response):
    """A span that does not count; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None
    cause: str


class Paused(_Response):
    """All pauses of a clock."""

    spans: tuple[PausedSpan, ...]
    total_ms: int


class Span(_Response):
    """A span of calendar time that counts."""

    since: datetime
    until: datetime
    counts_ms: int


class WarningPoint(_Response):
    """A warning: its share of the target, and its time."""

    point: str
    at: datetime | None
    announced: bool


class Broken(_Response):
    """The breach or miss of a promise."""

    called: str
    event_id: UUID | None


class Breakdown(_Response):
    """How long each part of a ticket's time was."""

    parts_ms: dict[str, int]


class Clock(_Response):
    """A promise being timed."""

    kind: str
    promise_class: str
    exception: str | None
    state: str
    cancelled_for: str | None
    rule: str | None
    calendar: Calendar | None
    target_ms: int
    started_at: datetime
    due_at: datetime | None
    remaining: Remaining | None
    used_ms: int | None
    paused: Paused | None
    spans: tuple[Span, ...]
    warnings: tuple[WarningPoint, ...]
    broken: Broken | None
    retractions: int
    breakdown: Breakdown

    @property
    def is_open(self) -> bool:
        """Whether an answer is still owed."""
        return self.state in ("running", "paused")


class Clocks(_Response):
    """A ticket's clocks; ``ticket`` is None until its request is known."""

    ticket_id: UUID
    ticket: Ticket | None
    now: datetime
    clocks: tuple[Clock, ...]


class Change(_Response):
    """A change of a clock; ``change`` decides which other fields are set."""

    change: Literal[
        "started",
        "repriced",
        "paused",
        "resumed",
        "moved",
        "met",
        "cancelled",
        "retracted",
        "warned",
        "broken",
    ]
    kind: PromiseKind
    due_at: datetime | None = None
    due_before: datetime | None = None
    said_due_at: datetime | None = None
    target_ms: int = 0
    target_before_ms: int = 0
    in_time: bool = True
    reason: Cancellation | Retraction | None = None
    retracted: str = ""
    percent: int = 0
    called: Literal["breached", "missed"] = "missed"
    taken_back: bool = False


class Entry(_Response):
    """A fact, or a passage of time; only a fact has a type, an event, a source and a reason."""

    entry: Literal["fact", "time"]
    at: datetime
    learned_at: datetime
    late: bool
    unanswered: dict[str, int] = {}
    until: datetime | None = None
    type: str = ""
    event: dict[str, object] = {}
    source: str = ""
    why: str = ""
    changes: tuple[Change, ...]


class Timeline(_Response):
    """A ticket's history, in order of event time."""

    entries: tuple[Entry, ...]
