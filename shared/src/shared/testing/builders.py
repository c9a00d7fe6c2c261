"""Builds events for tests: a test names only the fields that matter to it."""

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
    """Make the listing of account northwind: a purchase, super admin ada, and bob with a seat."""
    plain: dict[str, object] = {
        "account_id": "northwind",
        "purchases": [Purchase(since=datetime(2020, 1, 1, tzinfo=UTC))],
        "super_admins": ["ada"],
        "seats": ["bob"],
    }
    return AccountListed.model_validate({**plain, **changes})


def minutes(count: float) -> timedelta:
    """Return a duration in minutes."""
    return timedelta(minutes=count)


def promised(
    create_date: datetime,
    *,
    role: Role = "super_admin",
    channel: Channel = "email",
    severity: Severity = "standard",
    time_zone: str = "UTC",
) -> tuple[Promise, ...]:
    """Return the promises of the built-in policy."""
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
    """Make the accepted event of a ticket, created ``after_min`` minutes after noon.

    ``otherwise`` are the promises at the other severity; without it the event is like an old one.
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
    """Make a later fact of the ticket ``name``, for types that have no other fields."""
    return _happened(fact(ticket_id=ticket_id_of("test", name)), after_min)


def a_clock(
    record: type[ClockFact],
    name: str,
    *,
    due_min: float | None = None,
    after_min: float = 0,
    **more: object,
) -> Envelope[Event]:
    """Make an event of a clock of the ticket ``name``, as sla-monitor publishes it."""
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
    """Make the event that corrects the severity of the ticket ``name``."""
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
    """Make the listing of a specialist: one ticket per channel, offers ring without a sign-in."""
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
    """Make the event that removes a specialist from the roster."""
    return _happened(SpecialistRemoved(specialist_id=name), after_min)


def _happened(event: Event, after_min: float) -> Envelope[Event]:
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"{event!r}{at}"), "test", at, event)
