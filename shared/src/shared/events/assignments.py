"""Facts about who works on a ticket, written by router to ``assignments.v1``."""

from typing import ClassVar, Literal, override

from shared.events.base import Moment, TicketEvent
from shared.promises import Channel, Severity

__all__ = [
    "AssignmentFact",
    "AssignmentReleased",
    "QueueReason",
    "SpecialistFact",
    "TicketAssigned",
    "TicketDeclined",
    "TicketQueued",
]

type QueueReason = Literal["no_skill", "no_capacity", "no_shift"]
"""Why nobody has it: nobody serves its channel and language; who does is full, or not there."""


class AssignmentFact(TicketEvent):
    """What became of a ticket at the specialists' side."""

    topic: ClassVar[str] = "assignments.v1"


class TicketQueued(AssignmentFact):
    """Nobody can take the ticket now, for ``reason``; it waits with its original age."""

    type: ClassVar[str] = "premium.ticket.queued.v1"

    reason: QueueReason


class SpecialistFact(AssignmentFact):
    """What happened between a ticket and one specialist."""

    specialist_id: str

    @property
    @override
    def discriminator(self) -> str:
        """The specialist: one cause may free one and give work to another."""
        return self.specialist_id


class TicketAssigned(SpecialistFact):
    """A specialist has the ticket. ``english_instead`` says that they do not speak its language."""

    type: ClassVar[str] = "premium.ticket.assigned.v1"

    account_id: str
    channel: Channel
    severity: Severity
    language: str
    english_instead: bool
    due_at: Moment
    waited_ms: int


class TicketDeclined(SpecialistFact):
    """The specialist gave the ticket back; it waits again with its original age."""

    type: ClassVar[str] = "premium.assignment.declined.v1"

    reason: str


class AssignmentReleased(SpecialistFact):
    """The specialist's room is free again."""

    type: ClassVar[str] = "premium.assignment.released.v1"

    cause: Literal["responded", "reached", "resolved", "closed"]
