"""Facts about promises being timed, written by sla-monitor to ``clocks.v1`` and ``breaches.v1``."""

from typing import ClassVar, Literal, override
from uuid import UUID

from shared.events.base import Moment, TicketEvent
from shared.promises import Channel, PromiseClass, PromiseKind, Severity

__all__ = [
    "BreachFact",
    "ClockCancelled",
    "ClockFact",
    "ClockMet",
    "ClockPaused",
    "ClockRepriced",
    "ClockResumed",
    "ClockStarted",
    "ClockWarned",
    "PromiseBreached",
    "PromiseMissed",
    "PromiseRetracted",
]


class ClockFact(TicketEvent):
    """What happened to one clock of a ticket; whose ticket it is goes along for the reader."""

    topic: ClassVar[str] = "clocks.v1"

    account_id: str
    channel: Channel
    severity: Severity

    kind: PromiseKind
    promise_class: PromiseClass

    @property
    @override
    def discriminator(self) -> str:
        """The promise: one fact may move several clocks."""
        return self.kind


class ClockStarted(ClockFact):
    """The promise is being timed. ``due_at`` is None for a ticket that waits already."""

    type: ClassVar[str] = "premium.clock.started.v1"

    due_at: Moment | None


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
    """``percent`` of the target is used up and nobody has answered."""

    type: ClassVar[str] = "premium.clock.warned.v1"

    percent: int
    due_at: Moment

    @property
    @override
    def discriminator(self) -> str:
        """The promise and the warning point."""
        return f"{self.kind}/{self.percent}"


class ClockMet(ClockFact):
    """Answered. ``in_time`` is false when the breach or miss had come first."""

    type: ClassVar[str] = "premium.clock.met.v1"

    due_at: Moment | None
    met_at: Moment
    in_time: bool


class ClockCancelled(ClockFact):
    """Closed unanswered: nothing is owed any more."""

    type: ClassVar[str] = "premium.clock.cancelled.v1"


class BreachFact(ClockFact):
    """A promise that was broken, or was wrongly said to be."""

    topic: ClassVar[str] = "breaches.v1"


class PromiseBreached(BreachFact):
    """A guarantee was not kept: no answer by ``due_at``."""

    type: ClassVar[str] = "premium.promise.breached.v1"

    due_at: Moment


class PromiseMissed(BreachFact):
    """An objective was not reached: reported, but no breach of contract."""

    type: ClassVar[str] = "premium.promise.missed.v1"

    due_at: Moment


class PromiseRetracted(BreachFact):
    """A late fact shows that the promise was kept after all."""

    type: ClassVar[str] = "premium.promise.retracted.v1"

    retracted: Literal["breached", "missed"]
    retracted_id: UUID
