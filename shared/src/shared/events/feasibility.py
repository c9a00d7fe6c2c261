"""Facts about promises that nobody could keep, written by router to ``assignments.v1``."""

from typing import ClassVar, Literal

from shared.events.assignments import AssignmentFact
from shared.events.base import Moment
from shared.sla.promises import Channel

__all__ = ["Constraint", "PromiseFeasible", "PromiseInfeasible", "Withdrawal"]

type Constraint = Literal["no_skill", "no_shift"]
"""Nobody serves the channel in the language, or in English; or nobody is on shift in time."""
type Withdrawal = Literal["covered", "assigned", "repriced", "over", "past_due"]
"""Somebody will be there in time, has it; it is due later, or over; or it is due and not met."""


class PromiseInfeasible(AssignmentFact):
    """Nobody will be there in time for a ticket that waits, whoever has room.

    ``spoken`` is the language that is looked for: the ticket's, or English where nobody on the
    roster speaks that. Who speaks it is on shift from ``opens_at`` on; None: nobody ever.
    ``words`` says it to people.
    """

    type: ClassVar[str] = "premium.promise.infeasible.v1"

    account_id: str
    channel: Channel
    language: str
    due_at: Moment
    constraint: Constraint
    spoken: str
    opens_at: Moment | None
    words: str


class PromiseFeasible(AssignmentFact):
    """What was said to be infeasible is so no more, for ``reason``."""

    type: ClassVar[str] = "premium.promise.feasible.v1"

    reason: Withdrawal
