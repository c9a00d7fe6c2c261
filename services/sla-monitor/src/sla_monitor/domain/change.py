"""The changes of a clock in a timeline: by a fact, or when a time passes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Cancellation, Retraction
from shared.events.base import Moment
from shared.sla.promises import PromiseKind
from sla_monitor.domain.clock import Broken

__all__ = [
    "Broke",
    "Cancelled",
    "Change",
    "Met",
    "Moved",
    "Passing",
    "Repriced",
    "Retracted",
    "Started",
    "Warned",
]


class _OfClock(BaseModel):
    """A clock that changed."""

    model_config = ConfigDict(frozen=True)

    kind: PromiseKind
    started_by: UUID = Field(
        description="The fact that started it; distinguishes recurring clocks."
    )


class _Timed(_OfClock):
    """`due_at` is the due time after the change; null while nothing is due."""

    due_at: Moment | None


class Started(_Timed):
    """The clock started."""

    change: Literal["started"] = "started"
    target_ms: int


class Repriced(_Timed):
    """Severity, target, class or exception changed; time still runs from the same start."""

    change: Literal["repriced"] = "repriced"
    due_before: Moment | None
    target_before_ms: int
    target_ms: int


class Moved(_Timed):
    """The clock was paused or resumed, or its due time moved."""

    change: Literal["paused", "resumed", "moved"]
    due_before: Moment | None


class Met(_Timed):
    """The promise was met."""

    change: Literal["met"] = "met"
    in_time: bool


class Cancelled(_Timed):
    """Nothing is owed any more."""

    change: Literal["cancelled"] = "cancelled"
    reason: Cancellation


class Retracted(_OfClock):
    """A published breach or miss was retracted; `said_due_at` is the due time published with it."""

    change: Literal["retracted"] = "retracted"
    said_due_at: Moment
    retracted: Broken
    reason: Retraction | None


class Warned(_OfClock):
    """A warning: `percent` of the target was used up."""

    change: Literal["warned"] = "warned"
    due_at: Moment
    percent: int


class Broke(_OfClock):
    """A breach or miss was published. `taken_back`: it was retracted later."""

    change: Literal["broken"] = "broken"
    due_at: Moment
    called: Broken
    taken_back: bool


type Change = Annotated[
    Started | Repriced | Moved | Met | Cancelled | Retracted, Field(discriminator="change")
]
"""A change by a fact."""
type Passing = Annotated[Warned | Broke, Field(discriminator="change")]
"""A change because a time passed."""
