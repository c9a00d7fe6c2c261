"""Events about callbacks, published by router on ``assignments.v1``."""

from typing import ClassVar, Literal, override
from uuid import UUID

from shared.events.assignments import AssignmentFact, SpecialistFact
from shared.events.base import Moment

__all__ = [
    "AttemptOutcome",
    "CallbackAttempted",
    "CallbackJoined",
    "CallbackPlanned",
    "CallbackReminded",
    "CallbackSettled",
    "Contact",
]

type AttemptOutcome = Literal["answered", "no_answer", "busy", "wrong_number"]
type Contact = Literal["answered", "reached", "dialled"]
"""How a specialist reached the customer: by our call, by a call that upstream reported, or because
the customer called us."""


class _CallbackFact(AssignmentFact):
    @property
    @override
    def discriminator(self) -> str:
        """The ticket: one cause may concern several tickets of one telephone number."""
        return str(self.ticket_id)


class CallbackJoined(_CallbackFact):
    """This ticket shares the call that is owed to the same number on the ticket ``joined``."""

    type: ClassVar[str] = "premium.callback.joined.v1"

    joined: UUID


class CallbackAttempted(SpecialistFact):
    """A specialist dialled the number: attempt number ``attempt`` of this callback."""

    type: ClassVar[str] = "premium.callback.attempted.v1"

    outcome: AttemptOutcome
    attempt: int


class CallbackPlanned(_CallbackFact):
    """Attempt number ``attempt`` is planned for ``planned_at``, before ``due_at``."""

    type: ClassVar[str] = "premium.callback.planned.v1"

    attempt: int
    planned_at: Moment
    due_at: Moment


class CallbackReminded(SpecialistFact):
    """A planned attempt is due now; the assigned specialist is reminded."""

    type: ClassVar[str] = "premium.callback.reminded.v1"

    account_id: str
    attempt: int
    due_at: Moment


class CallbackSettled(_CallbackFact):
    """No call is owed on this ticket any more: the customer was reached, on the ticket ``on``.

    The call counts for every ticket that waited for a call to the same number.
    """

    type: ClassVar[str] = "premium.callback.settled.v1"

    how: Contact
    on: UUID
