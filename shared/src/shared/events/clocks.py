"""Facts about promises being timed, written by sla-monitor to ``clocks.v1`` and ``breaches.v1``."""

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
"""Where a ticket's time goes: on its way in, waiting for a specialist (and why), on its way to
one, with one, given up by one, or not counted."""

type Cancellation = Literal["closed", "merged", "erased", "withdrawn"]
"""Why nothing is owed any more; withdrawn: later facts show that it never was."""

type Retraction = Literal["answered", "moved", "paused", "cancelled", "exception"]
"""What a late fact showed: answered in time, due later, not due, not owed, no guarantee."""


class Breakdown(BaseModel):
    """How elapsed time adds up: ``parts_ms`` sum to ``total_ms`` exactly. Parts of 0 are left out.

    Wall time from the clock's start to the event, in milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    total_ms: int
    parts_ms: dict[Part, int]


class ClockFact(TicketEvent):
    """What happened to one clock of a ticket; whose ticket it is goes along for the reader."""

    topic: ClassVar[str] = "clocks.v1"

    account_id: str
    channel: Channel
    severity: Severity

    kind: PromiseKind
    promise_class: PromiseClass
    cycle: UUID | None = added(None)
    """The fact that started it, where a kind recurs: each reply of the customer asks for one."""
    exception: str | None = added(None)
    """The declared exception that made an objective of a guarantee."""

    @property
    @override
    def discriminator(self) -> str:
        """The promise: one fact may move several clocks."""
        return self.kind if self.cycle is None else f"{self.kind}/{self.cycle}"


class ClockStarted(ClockFact):
    """The promise is being timed. ``due_at`` is None for a ticket that waits already.

    ``as_accepted`` says that it is the due time of the accepted fact: readers of that fact learn
    nothing from this one.
    """

    type: ClassVar[str] = "premium.clock.started.v1"

    due_at: Moment | None
    as_accepted: bool = added(default=False)


class ClockPaused(ClockFact):
    """Nothing is due while the ticket waits for somebody outside."""

    type: ClassVar[str] = "premium.clock.paused.v1"


class ClockResumed(ClockFact):
    """Time counts again; the due time moved by the wait."""

    type: ClassVar[str] = "premium.clock.resumed.v1"

    due_at: Moment


class ClockRepriced(ClockFact):
    """Another target applies from the same create date."""

    type: ClassVar[str] = "premium.clock.repriced.v1"

    target_s: int
    due_at: Moment | None


class ClockWarned(ClockFact):
    """``percent`` of the target is used up and nobody has answered.

    ``lateness_ms`` is how long after its time the warning was given.
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
    """Answered. ``in_time`` is false when the breach or miss had come first."""

    type: ClassVar[str] = "premium.clock.met.v1"

    due_at: Moment | None
    met_at: Moment
    in_time: bool
    breakdown: Breakdown | None = added(None)


class ClockCancelled(ClockFact):
    """Nothing is owed any more, though nobody answered."""

    type: ClassVar[str] = "premium.clock.cancelled.v1"

    reason: Cancellation = added("closed")


class BreachFact(ClockFact):
    """A promise that was broken, or was wrongly said to be."""

    topic: ClassVar[str] = "breaches.v1"


class PromiseBroken(BreachFact):
    """No answer by ``due_at``. ``lateness_ms`` is how long after it this was announced.

    ``late`` says that a watermark may have passed ``due_at`` before: the promise is broken by a
    fact that came late, ``fact_id``.
    """

    due_at: Moment
    lateness_ms: int = added(0)
    late: bool = added(default=False)
    fact_id: UUID | None = added(None)
    breakdown: Breakdown | None = added(None)


class PromiseBreached(PromiseBroken):
    """A guarantee was not kept."""

    type: ClassVar[str] = "premium.promise.breached.v1"


class PromiseMissed(PromiseBroken):
    """An objective was not reached: reported, but no breach of contract."""

    type: ClassVar[str] = "premium.promise.missed.v1"


class PromiseRetracted(BreachFact):
    """A late fact, ``fact_id``, shows that the promise was kept after all, and ``reason`` how."""

    type: ClassVar[str] = "premium.promise.retracted.v1"

    retracted: Literal["breached", "missed"]
    retracted_id: UUID
    reason: Retraction | None = added(None)
    fact_id: UUID | None = added(None)


class WatermarkAdvanced(Event):
    """Proof of silence: on this partition every due time up to ``evaluated_to`` was judged.

    No breach or miss due before that follows, but for those that say ``late``. ``open`` counts
    the clocks that run or are paused; ``lag_ms_max`` is the longest that anything due had to wait
    since the watermark before.
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
        """The partition it speaks of, and stands on."""
        return f"partition-{self.partition}"
