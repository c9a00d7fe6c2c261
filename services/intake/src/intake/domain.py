"""What a document from upstream comes to: a ticket with promises, or a later fact about one."""

from dataclasses import dataclass
from typing import Final, assert_never
from unicodedata import east_asian_width

from shared.events import (
    CustomerReached,
    CustomerReplied,
    LaterFact,
    SupportRequest,
    TicketAccepted,
    TicketClosed,
    TicketFact,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.promises import POLICY, Severity, promises_for

__all__ = ["Acceptance", "accept", "fact_of"]

_DESCRIPTION_WORDS_MIN: Final = 5


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A ticket to be announced. ``missing`` says what a business-critical claim still lacks."""

    event: TicketAccepted
    missing: tuple[str, ...]


def accept(request: SupportRequest) -> Acceptance:
    """Price a request from its create date.

    A business-critical claim counts when it comes by the email form and describes the problem
    (DOMAIN, "Business-critical"); otherwise the ticket starts as standard and says what is missing.
    """
    missing = _missing(request)
    severity: Severity = "standard" if missing else request.severity
    event = TicketAccepted(
        ticket_id=request.ticket_id,
        source=request.source,
        external_id=request.external_id,
        account_id=request.account_id,
        requester_id=request.requester_id,
        role=request.role,
        channel=request.channel,
        severity=severity,
        claimed_severity=request.severity,
        language=request.language,
        time_zone=request.time_zone,
        policy=POLICY,
        promises=promises_for(
            role=request.role,
            channel=request.channel,
            severity=severity,
            time_zone=request.time_zone,
            create_date=request.occurred_at,
        ),
    )
    return Acceptance(event, missing)


def _missing(request: SupportRequest) -> tuple[str, ...]:
    if request.severity == "standard":
        return ()
    missing = []
    if request.channel != "email":
        missing.append("the email form: only there can a request be business-critical")
    if _words(request.body) < _DESCRIPTION_WORDS_MIN:
        missing.append("a description of what is blocked, and for whom")
    return tuple(missing)


def _words(text: str) -> int:
    """Count words; where they are not spaced apart, as in Japanese, two characters make one."""
    wide = sum(east_asian_width(character) == "W" for character in text)
    return max(len(text.split()), wide // 2)


def fact_of(fact: LaterFact) -> TicketFact:  # noqa: PLR0911 - one case a type
    """Name the fact that a later document tells."""
    ticket_id = fact.ticket_id
    match fact.type:
        case "responded":
            return TicketResponded(ticket_id=ticket_id)
        case "customer_replied":
            return CustomerReplied(ticket_id=ticket_id)
        case "customer_reached":
            return CustomerReached(ticket_id=ticket_id)
        case "waiting":
            return TicketWaiting(ticket_id=ticket_id, waiting_for=fact.waiting_for or "customer")
        case "resumed":
            return TicketResumed(ticket_id=ticket_id)
        case "reclassified":
            return TicketReclassified(ticket_id=ticket_id, severity=fact.severity or "standard")
        case "resolved":
            return TicketResolved(ticket_id=ticket_id)
        case "reopened":
            return TicketReopened(ticket_id=ticket_id)
        case "closed":
            return TicketClosed(ticket_id=ticket_id)
    assert_never(fact.type)
