"""Facts about promised calls, written by router to ``assignments.v1``: the ledger of a callback."""

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
"""How somebody spoke to the customer: we called, upstream told of it, or the customer called us."""


class _CallbackFact(AssignmentFact):
    @property
    @override
    def discriminator(self) -> str:
        """The ticket: one cause may concern several of one number."""
        return str(self.ticket_id)


class CallbackJoined(_CallbackFact):
    """The customer of ``joined`` waits for a call at the same number: one call answers both."""

    type: ClassVar[str] = "premium.callback.joined.v1"

    joined: UUID


class CallbackAttempted(SpecialistFact):
    """A specialist dialled, for the ``attempt``-th time in this call."""

    type: ClassVar[str] = "premium.callback.attempted.v1"

    outcome: AttemptOutcome
    attempt: int


class CallbackPlanned(_CallbackFact):
    """The ``attempt``-th dial is to be at ``planned_at``, before ``due_at``."""

    type: ClassVar[str] = "premium.callback.planned.v1"

    attempt: int
    planned_at: Moment
    due_at: Moment


class CallbackReminded(SpecialistFact):
    """It is time for the planned dial: whoever has the ticket is told."""

    type: ClassVar[str] = "premium.callback.reminded.v1"

    account_id: str
    attempt: int
    due_at: Moment


class CallbackSettled(_CallbackFact):
    """The customer was spoken to, at the envelope's time and on the ticket ``on``: no call is owed.

    It answers this ticket as well, and every other that waited for a call at that number.
    """

    type: ClassVar[str] = "premium.callback.settled.v1"

    how: Contact
    on: UUID
