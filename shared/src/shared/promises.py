"""What is promised to whom: DOMAIN's table as a pure function.

Response times are the vendor's (guide "Contact HubSpot Premium Support", 2025-08-21); the chat
objective and the shape of a business day are house defaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.calendars import Calendar, always, business_week

__all__ = [
    "POLICY",
    "WARNING_POINTS",
    "CalendarName",
    "Channel",
    "Pause",
    "Promise",
    "PromiseClass",
    "PromiseKind",
    "Role",
    "Severity",
    "calendar_of",
    "due_after_pauses",
    "promises_for",
]

type Channel = Literal["email", "phone", "chat"]
type Role = Literal["super_admin", "seat"]
type Severity = Literal["standard", "business_critical"]
type PromiseKind = Literal["first_response", "callback", "join"]
type PromiseClass = Literal["guarantee", "objective"]
type CalendarName = Literal["always", "business_week"]

POLICY = "premium-2025-08-21"
WARNING_POINTS = (50, 80)
"""Percent of a target used up at which a warning is due."""


class Promise(BaseModel):
    """One promise on one ticket. ``target_s`` is in seconds of ``calendar`` time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: PromiseKind
    promise_class: PromiseClass
    target_s: int
    calendar: CalendarName
    time_zone: str
    due_at: AwareDatetime
    rule: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A span in which no time counts; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    kind: PromiseKind
    promise_class: PromiseClass
    target: timedelta
    calendar: CalendarName


_CALLBACK = _Rule("callback-5-min", "callback", "objective", timedelta(minutes=5), "always")
_JOIN = _Rule("chat-join-60-s", "join", "objective", timedelta(seconds=60), "always")
_SEAT = _Rule(
    "seat-one-business-day", "first_response", "objective", timedelta(hours=8), "business_week"
)
_STANDARD = _Rule(
    "super-admin-standard", "first_response", "guarantee", timedelta(hours=1), "always"
)
_CRITICAL = _Rule(
    "super-admin-critical", "first_response", "guarantee", timedelta(minutes=30), "always"
)


def _rule_for(role: Role, channel: Channel, severity: Severity) -> _Rule:
    match channel, role, severity:
        case "phone", _, _:
            return _CALLBACK
        case "chat", _, _:
            return _JOIN
        case _, "seat", _:
            return _SEAT
        case _, _, "business_critical":
            return _CRITICAL
        case _:
            return _STANDARD


def promises_for(
    *, role: Role, channel: Channel, severity: Severity, time_zone: str, create_date: datetime
) -> tuple[Promise, ...]:
    """Price a ticket from its create date."""
    rule = _rule_for(role, channel, severity)
    due_at = calendar_of(rule.calendar, time_zone).add_business(create_date, rule.target)
    return (
        Promise(
            kind=rule.kind,
            promise_class=rule.promise_class,
            target_s=int(rule.target.total_seconds()),
            calendar=rule.calendar,
            time_zone=time_zone,
            due_at=due_at,
            rule=rule.name,
        ),
    )


def calendar_of(name: CalendarName, time_zone: str) -> Calendar:
    """Find the calendar that a promise counts by."""
    return always() if name == "always" else business_week(time_zone)


def due_after_pauses(
    calendar: Calendar, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> datetime | None:
    """Say when ``target`` of calendar time is used up, leaving out the pauses.

    ``pauses`` are in order and do not overlap. None while a pause lasts: nothing is due then.
    """
    left, at = target, start
    for pause in pauses:
        if pause.since > at:
            used = calendar.business_between(at, pause.since)
            if used >= left:
                return calendar.add_business(at, left)
            left -= used
        if pause.until is None:
            return None
        at = max(at, pause.until)
    return calendar.add_business(at, left)
