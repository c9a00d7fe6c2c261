"""Facts about who works on a ticket, written by router to ``assignments.v1``."""

from typing import ClassVar, Literal, override
from uuid import UUID

from shared.events.base import Moment, TicketEvent
from shared.sla.promises import Channel, PromiseKind, Severity, added

__all__ = [
    "Absence",
    "AssignmentFact",
    "AssignmentHandedBack",
    "AssignmentReleased",
    "AssignmentResponded",
    "OfferAccepted",
    "OfferDeclined",
    "OfferExpired",
    "OfferFact",
    "OfferWithdrawn",
    "QueueReason",
    "Release",
    "SeverityConfirmed",
    "SeverityReclassified",
    "SpecialistFact",
    "SpecialistSetAway",
    "TicketAssigned",
    "TicketDeclined",
    "TicketOffered",
    "TicketQueued",
]

type Release = Literal["responded", "reached", "resolved", "closed"]
"""What ends a specialist's work on a ticket."""
type Absence = Literal["offline", "off_shift", "left"]
"""Why somebody keeps nothing: not there, not at work, not on the roster any more."""

type QueueReason = Literal["no_skill", "no_capacity", "no_shift", "no_answer"]
"""Why it waits: no specialist serves its channel and language; those who do are full, or absent;
or all who are there let it ring or declined it."""


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
    """A specialist has the ticket. ``english_instead`` says that they do not speak its language.

    ``promise`` is the kind of promise that is due at ``due_at``. While nothing is due, that is
    None: the clock of ``promise`` is paused, or there is none. ``after_reply`` says that a reply of
    the customer brought it back.
    """

    type: ClassVar[str] = "premium.ticket.assigned.v1"

    account_id: str
    channel: Channel
    severity: Severity
    language: str
    english_instead: bool
    due_at: Moment | None
    waited_ms: int
    offer_id: UUID | None = added(None)
    promise: PromiseKind | None = added(None)
    after_reply: bool = added(default=False)


class TicketOffered(SpecialistFact):
    """The ticket rings at a specialist, whose room it holds until ``lease_ends_at``.

    What is due is said as in `TicketAssigned`.
    """

    type: ClassVar[str] = "premium.ticket.offered.v1"

    offer_id: UUID
    account_id: str
    channel: Channel
    severity: Severity
    language: str
    english_instead: bool
    due_at: Moment | None
    lease_ends_at: Moment
    waited_ms: int
    promise: PromiseKind | None = added(None)


class OfferFact(SpecialistFact):
    """What became of an offer; each has one end."""

    offer_id: UUID


class OfferAccepted(OfferFact):
    """The specialist takes the ticket: that they have it is told next."""

    type: ClassVar[str] = "premium.offer.accepted.v1"


class OfferDeclined(OfferFact):
    """The specialist does not take the ticket; it goes on to others."""

    type: ClassVar[str] = "premium.offer.declined.v1"

    reason: str


class OfferExpired(OfferFact):
    """The lease ended, and the specialist had said nothing."""

    type: ClassVar[str] = "premium.offer.expired.v1"


class SpecialistSetAway(SpecialistFact):
    """The specialist is away until they come back: ``unanswered`` offers in a row expired.

    The ticket is the one whose offer was the last of these.
    """

    type: ClassVar[str] = "premium.specialist.set_away.v1"

    unanswered: int


class OfferWithdrawn(OfferFact):
    """The offer was taken back: the work ended, a lead decided, or the specialist went."""

    type: ClassVar[str] = "premium.offer.withdrawn.v1"

    cause: Release | Absence | Literal["away", "moved", "pinned"]


class TicketDeclined(SpecialistFact):
    """The specialist gave the ticket back; it waits again with its original age."""

    type: ClassVar[str] = "premium.assignment.declined.v1"

    reason: str


class AssignmentReleased(SpecialistFact):
    """The specialist's room is free again."""

    type: ClassVar[str] = "premium.assignment.released.v1"

    cause: Release


class AssignmentHandedBack(SpecialistFact):
    """The ticket was taken from the specialist, and keeps its age.

    Where a person decided it, ``by`` says who, and ``reason`` why.
    """

    type: ClassVar[str] = "premium.assignment.handed_back.v1"

    cause: Absence | Literal["by_hand", "moved"]
    by: str | None = None
    reason: str | None = None


class AssignmentResponded(SpecialistFact):
    """The specialist answered the customer, and says so at our desk."""

    type: ClassVar[str] = "premium.assignment.responded.v1"


class SeverityConfirmed(SpecialistFact):
    """The specialist finds the ticket as severe as it says."""

    type: ClassVar[str] = "premium.severity.confirmed.v1"

    severity: Severity


class SeverityReclassified(SpecialistFact):
    """The specialist finds another severity; promises are priced anew from the create date."""

    type: ClassVar[str] = "premium.severity.reclassified.v1"

    severity: Severity
