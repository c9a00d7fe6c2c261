"""What sla-monitor answers about a ticket, as far as people are told of it.

A tolerant reader: what a newer sla-monitor adds is passed over.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

__all__ = ["Change", "Clock", "Clocks", "Entry", "Span", "Ticket", "Timeline"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ticket(_Answer):
    """Whose ticket it is."""

    source: str
    external_id: str
    account_id: str
    channel: str
    severity: str
    time_zone: str
    created_at: datetime
    policy: str


class Calendar(_Answer):
    """What time counts."""

    name: str
    version: str
    zone: str


class Remaining(_Answer):
    """What is left, negative when over."""

    business_ms: int
    wall_ms: int | None


class PausedSpan(_Answer):
    """A span that does not count; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None
    cause: str


class Paused(_Answer):
    """All of them."""

    spans: tuple[PausedSpan, ...]
    total_ms: int


class Span(_Answer):
    """A span of calendar time that counts."""

    since: datetime
    until: datetime
    counts_ms: int


class Warned(_Answer):
    """A warning point."""

    point: str
    at: datetime | None
    announced: bool


class Broken(_Answer):
    """A promise that is broken."""

    called: str
    since: datetime | None
    event_id: UUID | None


class Breakdown(_Answer):
    """Where the time went."""

    total_ms: int
    parts_ms: dict[str, int]


class Clock(_Answer):
    """A promise being timed."""

    kind: str
    started_by: UUID
    promise_class: str
    exception: str | None
    state: str
    cancelled_for: str | None
    rule: str | None
    policy: str
    calendar: Calendar | None
    target_ms: int
    started_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    as_of: datetime
    remaining: Remaining | None
    used_ms: int | None
    paused: Paused | None
    spans: tuple[Span, ...]
    warnings: tuple[Warned, ...]
    broken: Broken | None
    retractions: int
    breakdown: Breakdown

    @property
    def is_open(self) -> bool:
        """Somebody still has to answer."""
        return self.state in ("running", "paused")


class Clocks(_Answer):
    """A ticket's clocks; ``ticket`` is None until its request is known."""

    ticket_id: UUID
    ticket: Ticket | None
    now: datetime
    clocks: tuple[Clock, ...]


class Change(_Answer):
    """What became of a clock: ``change`` says which of the other fields speak."""

    change: str
    kind: str
    due_at: datetime | None = None
    due_before: datetime | None = None
    said_due_at: datetime | None = None
    target_ms: int = 0
    target_before_ms: int = 0
    in_time: bool = True
    reason: str | None = None
    retracted: str = ""
    percent: int = 0
    called: str = ""
    taken_back: bool = False


class Entry(_Answer):
    """A fact, or what time brought; only a fact has a type, a source and a reason."""

    entry: Literal["fact", "time"]
    at: datetime
    learned_at: datetime
    late: bool
    times: int = 1
    until: datetime | None = None
    type: str = ""
    source: str = ""
    why: str = ""
    changes: tuple[Change, ...]


class Timeline(_Answer):
    """A ticket's story, in order of what happened."""

    entries: tuple[Entry, ...]
