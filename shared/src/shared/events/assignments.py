"""Events about the assignment of tickets, published by router on ``assignments.v1``."""

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
"""Why a specialist loses their tickets: offline, off shift, or removed from the roster."""

type QueueReason = Literal["no_skill", "no_capacity", "no_shift", "no_answer"]
"""Why a ticket waits: no specialist serves its channel and language; those who do are at capacity,
or absent; or every eligible specialist declined or did not answer."""


class AssignmentFact(TicketEvent):
    """An event about the assignment of a ticket."""

    topic: ClassVar[str] = "assignments.v1"


class TicketQueued(AssignmentFact):
    """No specialist can take the ticket now, for ``reason``; its age in the queue is not reset."""

    type: ClassVar[str] = "premium.ticket.queued.v1"

    reason: QueueReason


class SpecialistFact(AssignmentFact):
    """An event about a ticket and one specialist."""

    specialist_id: str

    @property
    @override
    def discriminator(self) -> str:
        """The specialist: one cause may release one specialist and assign another."""
        return self.specialist_id


class TicketAssigned(SpecialistFact):
    """The ticket is assigned to a specialist.

    ``english_instead``: the specialist does not speak the ticket's language, but English.
    ``promise`` is the kind of promise that is due at ``due_at``. ``due_at`` is None while nothing
    is due: the clock is paused, or the ticket has none. ``after_reply``: the customer's reply
    reopened the ticket.
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
    """The ticket is offered to a specialist, and uses their capacity until ``lease_ends_at``.

    For ``due_at`` and ``promise`` see `TicketAssigned`.
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
    """The end of an offer; each offer has exactly one."""

    offer_id: UUID


class OfferAccepted(OfferFact):
    """The specialist accepted the offer; `TicketAssigned` follows."""

    type: ClassVar[str] = "premium.offer.accepted.v1"


class OfferDeclined(OfferFact):
    """The specialist declined the offer; the ticket is offered to others."""

    type: ClassVar[str] = "premium.offer.declined.v1"

    reason: str


class OfferExpired(OfferFact):
    """The lease ended without an answer of the specialist."""

    type: ClassVar[str] = "premium.offer.expired.v1"


class SpecialistSetAway(SpecialistFact):
    """The specialist was set away, after ``unanswered`` offers in a row expired.

    The event's ticket is the one that was offered last.
    """

    type: ClassVar[str] = "premium.specialist.set_away.v1"

    unanswered: int


class OfferWithdrawn(OfferFact):
    """The offer ended without an answer, because of ``cause``, such as a move or an absence."""

    type: ClassVar[str] = "premium.offer.withdrawn.v1"

    cause: Release | Absence | Literal["away", "moved", "pinned"]


class TicketDeclined(SpecialistFact):
    """The specialist declined an assigned ticket; its age in the queue is not reset."""

    type: ClassVar[str] = "premium.assignment.declined.v1"

    reason: str


class AssignmentReleased(SpecialistFact):
    """The ticket no longer uses the specialist's capacity, because of ``cause``."""

    type: ClassVar[str] = "premium.assignment.released.v1"

    cause: Release


class AssignmentHandedBack(SpecialistFact):
    """The ticket went from the specialist back to the queue; its age there is not reset.

    If a person handed it back, ``by`` is their id and ``reason`` is what they entered.
    """

    type: ClassVar[str] = "premium.assignment.handed_back.v1"

    cause: Absence | Literal["by_hand", "moved"]
    by: str | None = None
    reason: str | None = None


class AssignmentResponded(SpecialistFact):
    """The specialist answered the customer, and recorded it in the inbox or the API."""

    type: ClassVar[str] = "premium.assignment.responded.v1"


class SeverityConfirmed(SpecialistFact):
    """The specialist confirmed the ticket's severity."""

    type: ClassVar[str] = "premium.severity.confirmed.v1"

    severity: Severity


class SeverityReclassified(SpecialistFact):
    """The specialist changed the severity; promises are computed again from the create date."""

    type: ClassVar[str] = "premium.severity.reclassified.v1"

    severity: Severity
