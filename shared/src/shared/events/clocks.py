"""Events about clocks, published by sla-monitor on ``clocks.v1`` and ``breaches.v1``."""

from typing import ClassVar, Literal, override
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events.base import Event, Moment, TicketEvent
from shared.sla.promises import Channel, PromiseClass, PromiseKind, Severity, added

__all__ = [
    "BreachFact",
    "Breakdown",
    "Cancellation",
    "ClockCancelled",
    "ClockFact",
    "ClockMet",
    "ClockPaused",
    "ClockRepriced",
    "ClockResumed",
    "ClockStarted",
    "ClockWarned",
    "Part",
    "PromiseBreached",
    "PromiseMissed",
    "PromiseRetracted",
    "Retraction",
    "WatermarkAdvanced",
]

type Part = Literal[
    "intake",
    "routing",
    "no_skill",
    "no_capacity",
    "no_shift",
    "no_answer",
    "offered",
    "notifier",
    "assigned",
    "unassigned",
    "paused",
]
"""Where a ticket's time was spent: arriving, waiting for a specialist (by reason), offered, being
notified, assigned, unassigned after an assignment, or paused."""

type Cancellation = Literal["closed", "merged", "erased", "withdrawn"]
"""Why a clock was cancelled; withdrawn: later facts showed that it should never have started."""

type Retraction = Literal["answered", "moved", "paused", "cancelled", "exception"]
"""What a late fact showed: answered in time, due later, paused, cancelled, or an exception."""


class Breakdown(BaseModel):
    """The wall time from the clock's start to the event, in milliseconds, by part.

    ``parts_ms`` sum to ``total_ms`` exactly. Parts of 0 are left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    total_ms: int
    parts_ms: dict[Part, int]


class ClockFact(TicketEvent):
    """An event about one clock of a ticket, with the ticket's account, channel and severity."""

    topic: ClassVar[str] = "clocks.v1"

    account_id: str
    channel: Channel
    severity: Severity

    kind: PromiseKind
    promise_class: PromiseClass
    cycle: UUID | None = added(None)
    """The event that started the clock, for a kind that recurs with each reply of the customer."""
    exception: str | None = added(None)
    """The declared exception that turned a guarantee into an objective."""

    @property
    @override
    def discriminator(self) -> str:
        """The clock: one fact may change several clocks of a ticket."""
        return self.kind if self.cycle is None else f"{self.kind}/{self.cycle}"


class ClockStarted(ClockFact):
    """The clock started. ``due_at`` is None if it is paused from the start.

    ``as_accepted``: the due time equals the one in `TicketAccepted`, so consumers of that event
    can skip this one.
    """

    type: ClassVar[str] = "premium.clock.started.v1"

    due_at: Moment | None
    as_accepted: bool = added(default=False)


class ClockPaused(ClockFact):
    """The clock is paused while the ticket waits; nothing is due."""

    type: ClassVar[str] = "premium.clock.paused.v1"


class ClockResumed(ClockFact):
    """The clock runs again; its due time moved by the pause."""

    type: ClassVar[str] = "premium.clock.resumed.v1"

    due_at: Moment


class ClockRepriced(ClockFact):
    """Another target applies from the same create date."""

    type: ClassVar[str] = "premium.clock.repriced.v1"

    target_s: int
    due_at: Moment | None


class ClockWarned(ClockFact):
    """``percent`` of the target is used up without an answer.

    ``lateness_ms`` is how long after its due time the warning was published.
    """

    type: ClassVar[str] = "premium.clock.warned.v1"

    percent: int
    due_at: Moment
    lateness_ms: int = added(0)
    breakdown: Breakdown | None = added(None)

    @property
    @override
    def discriminator(self) -> str:
        """The promise and the warning point."""
        return f"{super().discriminator}/{self.percent}"


class ClockMet(ClockFact):
    """The promise was met. ``in_time`` is false after a breach or miss."""

    type: ClassVar[str] = "premium.clock.met.v1"

    due_at: Moment | None
    met_at: Moment
    in_time: bool
    breakdown: Breakdown | None = added(None)


class ClockCancelled(ClockFact):
    """The clock ended without an answer, because nothing is owed any more."""

    type: ClassVar[str] = "premium.clock.cancelled.v1"

    reason: Cancellation = added("closed")


class BreachFact(ClockFact):
    """An event about a broken promise: its breach or miss, or the retraction of one."""

    topic: ClassVar[str] = "breaches.v1"


class PromiseBroken(BreachFact):
    """There was no answer by ``due_at``. This event was published ``lateness_ms`` after that.

    ``late``: a watermark may already have passed ``due_at``, because the fact ``fact_id``, which
    broke the promise, arrived late.
    """

    due_at: Moment
    lateness_ms: int = added(0)
    late: bool = added(default=False)
    fact_id: UUID | None = added(None)
    breakdown: Breakdown | None = added(None)


class PromiseBreached(PromiseBroken):
    """A guarantee was not met."""

    type: ClassVar[str] = "premium.promise.breached.v1"


class PromiseMissed(PromiseBroken):
    """An objective was not met: reported, but no breach of contract."""

    type: ClassVar[str] = "premium.promise.missed.v1"


class PromiseRetracted(BreachFact):
    """A breach or miss was wrong: the late fact ``fact_id`` disproved it, for ``reason``."""

    type: ClassVar[str] = "premium.promise.retracted.v1"

    retracted: Literal["breached", "missed"]
    retracted_id: UUID
    reason: Retraction | None = added(None)
    fact_id: UUID | None = added(None)


class WatermarkAdvanced(Event):
    """Every due time up to ``evaluated_to`` was evaluated on this partition.

    A later breach or miss with an earlier due time is marked ``late``. ``open`` counts the clocks
    that run or are paused; ``lag_ms_max`` is the longest delay of an evaluation since the previous
    watermark.
    """

    topic: ClassVar[str] = "breaches.v1"
    type: ClassVar[str] = "premium.watermark.advanced.v1"

    partition: int
    evaluated_to: Moment
    open: int
    lag_ms_max: int

    @property
    @override
    def subject(self) -> str:
        """The partition, which is also the one that this event is on."""
        return f"partition-{self.partition}"
