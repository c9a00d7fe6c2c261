"""Events about infeasible promises, published by router on ``assignments.v1``."""

from typing import ClassVar, Literal

from shared.events.assignments import AssignmentFact
from shared.events.base import Moment
from shared.sla.promises import Channel

__all__ = ["Constraint", "PromiseFeasible", "PromiseInfeasible", "Withdrawal"]

type Constraint = Literal["no_skill", "no_shift"]
"""No specialist serves the channel in the language or in English; or none is on shift in time."""
type Withdrawal = Literal["covered", "assigned", "repriced", "over", "past_due"]
"""Why an announced infeasibility ends: a specialist will be on shift in time; one has the ticket;
it is due later; it is over; or its due time has passed."""


class PromiseInfeasible(AssignmentFact):
    """No qualified specialist is on shift before a waiting ticket is due.

    ``spoken`` is the required language: the ticket's, or English if no specialist speaks that. The
    next shift of a speaker begins at ``opens_at``; None if there is none.
    """

    type: ClassVar[str] = "premium.promise.infeasible.v1"

    account_id: str
    channel: Channel
    language: str
    due_at: Moment
    constraint: Constraint
    spoken: str
    opens_at: Moment | None


class PromiseFeasible(AssignmentFact):
    """The announced infeasibility ended, for ``reason``."""

    type: ClassVar[str] = "premium.promise.feasible.v1"

    reason: Withdrawal
