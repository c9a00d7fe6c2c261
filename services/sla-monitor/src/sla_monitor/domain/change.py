"""What may become of a clock: by a fact, or by time alone."""

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
    started_by: UUID = Field(description="The fact that started it; tells apart what recurs.")


class _Timed(_OfClock):
    """`due_at` holds from here on; it is null while nothing is due."""

    due_at: Moment | None


class Started(_Timed):
    """The promise is timed from here."""

    change: Literal["started"] = "started"
    target_ms: int


class Repriced(_Timed):
    """Something else is promised, from the same start."""

    change: Literal["repriced"] = "repriced"
    due_before: Moment | None
    target_before_ms: int
    target_ms: int


class Moved(_Timed):
    """Time stopped or went on counting; or the due time moved while it did."""

    change: Literal["paused", "resumed", "moved"]
    due_before: Moment | None


class Met(_Timed):
    """What was promised was done."""

    change: Literal["met"] = "met"
    in_time: bool


class Cancelled(_Timed):
    """Nothing is owed any more."""

    change: Literal["cancelled"] = "cancelled"
    reason: Cancellation


class Retracted(_OfClock):
    """A breach or miss that had been announced was taken back; it was said due at `said_due_at`."""

    change: Literal["retracted"] = "retracted"
    said_due_at: Moment
    retracted: Broken
    reason: Retraction | None


class Warned(_OfClock):
    """So much of the target was used up."""

    change: Literal["warned"] = "warned"
    due_at: Moment
    percent: int


class Broke(_OfClock):
    """The promise was broken. `taken_back`: a fact that was learned later disproved it."""

    change: Literal["broken"] = "broken"
    due_at: Moment
    called: Broken
    taken_back: bool


type Change = Annotated[
    Started | Repriced | Moved | Met | Cancelled | Retracted, Field(discriminator="change")
]
"""What a fact does to a clock."""
type Passing = Annotated[Warned | Broke, Field(discriminator="change")]
"""What time alone does to a clock."""
