"""Builds events as tests need them: a test names what matters to it, the rest is ordinary."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid5

from shared.events import (
    NAMESPACE,
    AccountListed,
    ClockFact,
    Envelope,
    Event,
    Presence,
    Purchase,
    SpecialistListed,
    SpecialistRemoved,
    TicketAccepted,
    TicketFact,
    TicketReclassified,
    ticket_id_of,
)
from shared.sla.policies import RequestTraits, default_policy
from shared.sla.promises import Channel, Promise, Role, Severity

__all__ = [
    "NOON",
    "a_clock",
    "a_fact",
    "a_specialist",
    "a_ticket",
    "an_account",
    "minutes",
    "promised",
    "reclassified",
    "removed",
]

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""
_OTHER: Final[dict[Severity, Severity]] = {
    "standard": "business_critical",
    "business_critical": "standard",
}
_EVERYTHING: Final[dict[Channel, int]] = {"email": 1, "phone": 1, "chat": 1}


def an_account(**changes: object) -> AccountListed:
    """List the account northwind: bought for good, ada its super admin, bob with a seat."""
    plain: dict[str, object] = {
        "account_id": "northwind",
        "purchases": [Purchase(since=datetime(2020, 1, 1, tzinfo=UTC))],
        "super_admins": ["ada"],
        "seats": ["bob"],
    }
    return AccountListed.model_validate({**plain, **changes})


def minutes(count: float) -> timedelta:
    """Shorten the tests."""
    return timedelta(minutes=count)


def promised(
    create_date: datetime,
    *,
    role: Role = "super_admin",
    channel: Channel = "email",
    severity: Severity = "standard",
    time_zone: str = "UTC",
) -> tuple[Promise, ...]:
    """Say what the built-in policy promises."""
    asked = RequestTraits(role, channel, severity, language="en", time_zone=time_zone)
    return default_policy().price(asked, create_date).promises


def a_ticket(  # noqa: PLR0913 - each has a default
    name: str,
    *,
    channel: Channel = "email",
    language: str = "en",
    account_id: str = "northwind",
    role: Role = "super_admin",
    severity: Severity = "standard",
    after_min: float = 0,
    otherwise: tuple[Promise, ...] | None = None,
) -> Envelope[Event]:
    """Accept a ticket; its create date is so long after noon.

    ``otherwise`` is what the other severity is promised; left out as in facts of before.
    """
    create_date = NOON + minutes(after_min)
    event = TicketAccepted(
        ticket_id=ticket_id_of("test", name),
        source="test",
        external_id=name,
        account_id=account_id,
        requester_id="ada",
        role=role,
        channel=channel,
        severity=severity,
        claimed_severity=severity,
        language=language,
        time_zone="UTC",
        policy=default_policy().version,
        promises=promised(create_date, role=role, channel=channel, severity=severity),
        if_reclassified={} if otherwise is None else {_OTHER[severity]: otherwise},
    )
    return _happened(event, after_min)


def a_fact(fact: type[TicketFact], name: str, *, after_min: float = 0) -> Envelope[Event]:
    """Tell a later fact of the ticket of that name, one that needs no more than the ticket."""
    return _happened(fact(ticket_id=ticket_id_of("test", name)), after_min)


def a_clock(
    record: type[ClockFact],
    name: str,
    *,
    due_min: float | None = None,
    after_min: float = 0,
    **more: object,
) -> Envelope[Event]:
    """Let sla-monitor say of the ticket of that name, at a moment, when a promise is due."""
    plain: dict[str, object] = {
        "ticket_id": ticket_id_of("test", name),
        "account_id": "northwind",
        "channel": "email",
        "severity": "standard",
        "kind": "first_response",
        "promise_class": "guarantee",
        "due_at": None if due_min is None else NOON + minutes(due_min),
    }
    return _happened(record.model_validate({**plain, **more}), after_min)


def reclassified(name: str, severity: Severity, *, after_min: float = 0) -> Envelope[Event]:
    """Correct the severity of the ticket of that name."""
    event = TicketReclassified(ticket_id=ticket_id_of("test", name), severity=severity)
    return _happened(event, after_min)


def a_specialist(
    name: str,
    *,
    languages: tuple[str, ...] = ("en",),
    capacity: dict[Channel, int] | None = None,
    presence: Presence = "online",
    after_min: float = 0,
    **more: object,
) -> Envelope[Event]:
    """List a specialist who takes one ticket a channel at a time, signed in or not."""
    plain: dict[str, object] = {
        "specialist_id": name,
        "name": name.title(),
        "mail": f"{name}@support.example",
        "languages": languages,
        "capacity": _EVERYTHING if capacity is None else capacity,
        "presence": presence,
        "auto_ring": True,
    }
    return _happened(SpecialistListed.model_validate({**plain, **more}), after_min)


def removed(name: str, *, after_min: float = 0) -> Envelope[Event]:
    """Take a specialist off the roster."""
    return _happened(SpecialistRemoved(specialist_id=name), after_min)


def _happened(event: Event, after_min: float) -> Envelope[Event]:
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"{event!r}{at}"), "test", at, event)
