"""Acceptance of a request with its promises, and the events of later facts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args
from unicodedata import east_asian_width
from uuid import UUID

from intake.domain.entitlement import Entitled
from intake.domain.numbers import Number, NumberKeys, number_of
from shared.events import (
    CustomerReached,
    CustomerReplied,
    LanguageDecision,
    LaterFact,
    Purchase,
    SupportRequest,
    TicketAccepted,
    TicketClosed,
    TicketFact,
    TicketMerged,
    TicketNoted,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
    ticket_id_of,
)
from shared.events.requests import FactType
from shared.sla.policies import Policy, Pricing, RequestTraits
from shared.sla.promises import Severity

__all__ = ["Acceptance", "accept", "event_of", "into_of", "missing_in"]

_DESCRIPTION_WORDS_MIN: Final = 5
_PLAIN: Final[Mapping[FactType, type[TicketFact]]] = {
    "responded": TicketResponded,
    "customer_replied": CustomerReplied,
    "customer_reached": CustomerReached,
    "resumed": TicketResumed,
    "resolved": TicketResolved,
    "reopened": TicketReopened,
    "closed": TicketClosed,
    "noted": TicketNoted,
}
_DIALLED: Final = "the customer called us: no callback is needed"
_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity.__value__)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An accepted ticket.

    ``missing`` lists what a business-critical claim lacks. ``no_promise`` is the policy's reason
    when nothing is promised. ``number`` is the customer's number for a callback.
    """

    event: TicketAccepted
    purchase: Purchase
    language: LanguageDecision
    missing: tuple[str, ...]
    no_promise: str | None
    number: Number | None


def accept(  # noqa: PLR0913 - all of them determine the promises or the number
    request: SupportRequest,
    entitled: Entitled,
    language: LanguageDecision,
    policy: Policy,
    *,
    now: datetime,
    keys: NumberKeys,
) -> Acceptance:
    """Accept a request, with its promises at either severity, from its create date.

    A business-critical claim counts when it comes by the email form and describes the problem;
    otherwise the ticket starts as standard, and ``missing`` lists what the claim lacks.

    Raises:
        NumberFault: The customer's number cannot be dialled.
    """
    missing = missing_in(request)
    severity: Severity = "standard" if missing else request.severity
    account = entitled.account
    asked = RequestTraits(
        role=entitled.role,
        channel=request.channel,
        severity=severity,
        language=language.language,
        time_zone=account.time_zone or request.time_zone,
        tier=account.tier or request.tier,
        region=account.region or request.region,
    )
    number = number_of(request, account)
    prices = {s: _price(request, policy, replace(asked, severity=s)) for s in _SEVERITIES}
    pricing = prices.pop(severity)
    event = TicketAccepted(
        ticket_id=request.ticket_id,
        source=request.source,
        external_id=request.external_id,
        account_id=request.account_id,
        requester_id="",
        role=asked.role,
        channel=request.channel,
        severity=severity,
        claimed_severity=request.severity,
        language=asked.language,
        time_zone=asked.time_zone,
        tier=asked.tier,
        region=asked.region,
        accepted_at=now,
        policy=policy.version,
        rule=pricing.rule,
        promises=pricing.promises,
        if_reclassified={severity: price.promises for severity, price in prices.items()},
        number_key=None if number is None else keys.key(number),
        dialled=request.dialled,
        reopen_within_s=int(pricing.reopen_within.total_seconds()),
    )
    return Acceptance(event, entitled.purchase, language, missing, pricing.no_promise, number)


def _price(request: SupportRequest, policy: Policy, asked: RequestTraits) -> Pricing:
    """Return what the policy promises for a request; nothing if the customer has called us."""
    pricing = policy.price(asked, request.occurred_at)
    if not request.dialled:
        return pricing
    return replace(pricing, promises=(), no_promise=_DIALLED)


def missing_in(request: SupportRequest) -> tuple[str, ...]:
    """List what a business-critical claim lacks."""
    if request.severity == "standard":
        return ()
    missing = []
    if request.channel != "email":
        missing.append("the email form: only there can a request be business-critical")
    if _words(request.body) < _DESCRIPTION_WORDS_MIN:
        missing.append("a description of what is blocked, and for whom")
    return tuple(missing)


def _words(text: str) -> int:
    """Count words; in scripts without spaces, such as Japanese, two characters are one word."""
    wide = sum(east_asian_width(character) == "W" for character in text)
    return max(len(text.split()), wide // 2)


def event_of(fact: LaterFact) -> TicketFact:
    """Make the event of a later fact."""
    ticket_id = fact.ticket_id
    match fact.type:
        case "waiting":
            return TicketWaiting(ticket_id=ticket_id, waiting_for=fact.waiting_for or "customer")
        case "reclassified":
            return TicketReclassified(ticket_id=ticket_id, severity=fact.severity or "standard")
        case "merged":
            return TicketMerged(ticket_id=ticket_id, into=into_of(fact))
        case plain:
            return _PLAIN[plain](ticket_id=ticket_id)


def into_of(fact: LaterFact) -> UUID:
    """Return the ticket that a duplicate was merged into."""
    assert fact.into is not None  # noqa: S101 - a merged document has it
    return ticket_id_of(fact.source, fact.into)
