"""The events of the simulated ticket, without times."""

from datetime import UTC, datetime
from typing import Final, get_args
from uuid import UUID

from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    AssignmentResponded,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Event,
    NotificationSent,
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    SeverityReclassified,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketErased,
    TicketNoted,
    TicketQueued,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import CAUSES, Severity

__all__ = ["ANSWERED", "HANDOVERS", "SEVERE", "SIMPLE", "SIMPLE_WAITS", "TICKET"]

TICKET: Final = UUID("11111111-1111-5111-8111-111111111111")
SIMPLE: Final[dict[str, Event]] = {
    "replied": CustomerReplied(ticket_id=TICKET),
    "reached": CustomerReached(ticket_id=TICKET),
    "settled": CallbackSettled(ticket_id=TICKET, how="answered", on=TICKET),
    "resumed": TicketResumed(ticket_id=TICKET),
    "resolved": TicketResolved(ticket_id=TICKET),
    "closed": TicketClosed(ticket_id=TICKET),
    "reopened": TicketReopened(ticket_id=TICKET),
    "erased": TicketErased(ticket_id=TICKET),
    "noted": TicketNoted(ticket_id=TICKET),
}
SIMPLE_WAITS: Final = {c: TicketWaiting(ticket_id=TICKET, waiting_for=c) for c in CAUSES}
ANSWERED: Final[tuple[Event, ...]] = (
    TicketResponded(ticket_id=TICKET),
    AssignmentResponded(ticket_id=TICKET, specialist_id="ada"),
)
SEVERE: Final[dict[Severity, tuple[Event, ...]]] = {
    s: (
        TicketReclassified(ticket_id=TICKET, severity=s),
        SeverityReclassified(ticket_id=TICKET, specialist_id="ada", severity=s),
    )
    for s in get_args(Severity.__value__)
}
HANDOVERS: Final[tuple[Event, ...]] = (
    *(
        TicketQueued.model_validate({"ticket_id": TICKET, "reason": reason})
        for reason in ("no_skill", "no_capacity", "no_shift")
    ),
    *(
        TicketAssigned(
            ticket_id=TICKET,
            specialist_id=specialist,
            account_id="northwind",
            channel="email",
            severity="standard",
            language="en",
            english_instead=False,
            due_at=datetime(2026, 3, 2, tzinfo=UTC),
            waited_ms=0,
        )
        for specialist in ("ada", "bo")
    ),
    TicketDeclined(ticket_id=TICKET, specialist_id="ada", reason="busy"),
    AssignmentReleased(ticket_id=TICKET, specialist_id="ada", cause="closed"),
    AssignmentHandedBack(ticket_id=TICKET, specialist_id="ada", cause="offline"),
    OfferAccepted(ticket_id=TICKET, specialist_id="ada", offer_id=TICKET),
    OfferExpired(ticket_id=TICKET, specialist_id="ada", offer_id=TICKET),
    OfferWithdrawn(ticket_id=TICKET, specialist_id="ada", offer_id=TICKET, cause="resolved"),
    *(
        NotificationSent.model_validate(
            {
                "ticket_id": TICKET,
                "delivery_id": TICKET,
                "alert": alert,
                "recipient": "ada",
                "medium": "mail",
                "attempts": 1,
            }
        )
        for alert in ("assignment", "callback")
    ),
)
