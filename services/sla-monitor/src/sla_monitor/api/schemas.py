"""The responses of the API: the clocks and the timeline of a ticket.

Instants are RFC 3339 in UTC, durations are whole milliseconds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, assert_never
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Breakdown, Cancellation, OfferExpired
from shared.sla.promises import Channel, Promise, PromiseClass, PromiseKind, Severity
from shared.tickets.ringing import group_expired_offers
from sla_monitor.domain.change import Change, Passing
from sla_monitor.domain.clock import Broken, Clock, Key, State
from sla_monitor.domain.clock_status import (
    ClockStatus,
    PausedSpan,
    TimeUsage,
    WarningPoint,
    clock_statuses,
)
from sla_monitor.domain.derive import ExceptionOf, no_exception
from sla_monitor.domain.explanations import why
from sla_monitor.domain.replay import Learned
from sla_monitor.domain.ticket_facts import TicketFacts, read
from sla_monitor.domain.timeline import Entry, FactApplied, TimePassed, timeline

__all__ = [
    "ClockAnswer",
    "Clocks",
    "TicketAnswer",
    "Timeline",
    "clock_answer",
    "clocks_answer",
    "timeline_answer",
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class TicketAnswer(_Answer):
    """The ticket's account, and the policy that determined its promises."""

    source: str
    external_id: str
    account_id: str
    channel: Channel
    severity: Severity
    time_zone: str = Field(description="The account's time zone.")
    created_at: datetime = Field(
        description="The create date. The start of a clock is its `started_at`."
    )
    policy: str = Field(description="The policy version that determined the promises.")


class CalendarAnswer(_Answer):
    """The calendar of a promise."""

    name: str
    version: str = Field(description="A digest of its content, including tzdata and holidays.")
    zone: str


class RemainingAnswer(_Answer):
    """The time left at `as_of`, negative when overdue."""

    business_ms: int = Field(description="In calendar time, without pauses.")
    wall_ms: int | None = Field(description="Wall time to `due_at`; null while nothing is due.")


class PausedAnswer(_Answer):
    """The pauses of the clock."""

    spans: list[PausedSpan]
    total_ms: int = Field(description="Wall time; overlapping pauses are counted once.")


class SpanAnswer(_Answer):
    """A span of the calendar's time, without pauses, that counts towards the target."""

    since: datetime
    until: datetime
    counts_ms: int


class BrokenAnswer(_Answer):
    """The promise was broken: a breach or miss was published, and not retracted."""

    called: Broken
    since: datetime | None
    event_id: UUID | None = Field(description="The id of the breach or miss on `breaches.v1`.")


class ClockAnswer(_Answer):
    """A clock as of `as_of`: the moment when it was settled, or now while it is open."""

    kind: PromiseKind
    started_by: UUID = Field(
        description="The fact that started it; distinguishes recurring clocks."
    )
    promise_class: PromiseClass
    exception: str | None = Field(
        description="The declared exception that turned a guarantee into an objective."
    )
    severity: Severity
    state: State
    cancelled_for: Cancellation | None
    rule: str | None
    policy: str
    calendar: CalendarAnswer | None
    target_ms: int
    started_at: datetime
    due_at: datetime | None = Field(description="Null while nothing is due.")
    settled_at: datetime | None
    as_of: datetime
    remaining: RemainingAnswer | None
    used_ms: int | None = Field(description="The part of `target_ms` used up, in calendar time.")
    paused: PausedAnswer | None
    spans: list[SpanAnswer] = Field(
        description="The calendar's spans without pauses, up to the due time;"
        " while nothing is due, those used up so far."
    )
    warnings: list[WarningPoint]
    broken: BrokenAnswer | None
    retractions: int = Field(description="How often a breach or miss was retracted.")
    breakdown: Breakdown = Field(description="The wall time up to `as_of`, by part.")


class Clocks(_Answer):
    """A ticket's clocks. `ticket` is null until its request is known."""

    ticket_id: UUID
    ticket: TicketAnswer | None
    now: datetime
    clocks: list[ClockAnswer]


class FactEntry(_Answer):
    """A fact; `late` if a fact that occurred later had arrived earlier."""

    entry: Literal["fact"] = "fact"
    at: datetime = Field(description="When it occurred.")
    learned_at: datetime = Field(description="When it arrived here.")
    late: bool
    unanswered: dict[str, int] = Field(
        default={},
        description="How many offers each specialist did not answer, by id, where several expired"
        " offers share one entry.",
    )
    until: datetime | None = Field(default=None, description="The last time, of several.")
    type: str = Field(examples=["premium.ticket.waiting.v1"])
    fact_id: UUID
    event: dict[str, Any] = Field(description="The data of the event, as published.")
    source: str = Field(description="The service or system that reported it.")
    why: str = Field(description="The rule that applied, as a sentence.")
    changes: list[Change]


class TimeEntry(_Answer):
    """A warning point or a due time that passed; `late` if this became known only afterwards."""

    entry: Literal["time"] = "time"
    at: datetime
    learned_at: datetime
    late: bool
    changes: list[Passing]


class Timeline(_Answer):
    """The entries of a ticket up to `now`, in order of time."""

    ticket_id: UUID
    ticket: TicketAnswer | None
    now: datetime
    entries: list[Annotated[FactEntry | TimeEntry, Field(discriminator="entry")]]


def clocks_answer(
    ticket_id: UUID, learned: Iterable[Learned], clocks: Mapping[Key, Clock], *, now: datetime
) -> Clocks:
    """Build the response for a ticket's clocks."""
    ticket = read(one.fact for one in learned)
    if ticket is None:
        return Clocks(ticket_id=ticket_id, ticket=None, now=now, clocks=[])
    policy = ticket.accepted.policy
    stand = [clock_answer(each, policy) for each in clock_statuses(ticket, clocks, now=now)]
    return Clocks(ticket_id=ticket_id, ticket=_ticket(ticket), now=now, clocks=stand)


def timeline_answer(
    ticket_id: UUID,
    learned: Iterable[Learned],
    *,
    now: datetime,
    exception_of: ExceptionOf = no_exception,
) -> Timeline:
    """Build the response for a ticket's timeline."""
    known = list(learned)
    ticket = read(one.fact for one in known)
    return Timeline(
        ticket_id=ticket_id,
        ticket=None if ticket is None else _ticket(ticket),
        now=now,
        entries=[*_entries(timeline(known, now=now, exception_of=exception_of))],
    )


def _ticket(ticket: TicketFacts) -> TicketAnswer:
    """Build the ticket's part of a response."""
    accepted = ticket.accepted
    return TicketAnswer(
        source=accepted.source,
        external_id=accepted.external_id,
        account_id=accepted.account_id,
        channel=accepted.channel,
        severity=ticket.severity,
        time_zone=accepted.time_zone,
        created_at=ticket.opened.time,
        policy=accepted.policy,
    )


def clock_answer(status: ClockStatus, policy: str) -> ClockAnswer:
    """Build the response for one clock."""
    clock, promise, sums = status.clock, status.promise, status.time_usage
    return ClockAnswer(
        kind=clock.kind,
        started_by=clock.started_by,
        promise_class=clock.promise_class,
        exception=clock.exception,
        severity=clock.severity,
        state=clock.state,
        cancelled_for=clock.cancelled_for,
        rule=promise and promise.rule,
        policy=policy,
        calendar=promise and _calendar(promise),
        target_ms=clock.target_s * 1000,
        started_at=clock.started_at,
        due_at=clock.due_at,
        settled_at=clock.settled_at,
        as_of=status.as_of,
        remaining=sums and _remaining(sums),
        used_ms=sums and _ms(sums.used),
        paused=sums and _paused(sums),
        spans=_spans(sums) if sums else [],
        warnings=list(sums.warnings) if sums else [],
        broken=_broken(clock),
        retractions=clock.retractions,
        breakdown=status.breakdown,
    )


def _entries(entries: Iterable[Entry]) -> Iterator[FactEntry | TimeEntry]:
    """Convert entries; consecutive offers that expired become one entry."""
    for group in group_expired_offers(entries, _kind):
        if len(group) == 1:
            yield _entry(group[0])
            continue
        expired = [
            (one, one.fact.event.specialist_id)
            for one in group
            if isinstance(one, FactApplied) and isinstance(one.fact.event, OfferExpired)
        ]
        several = {
            "at": group[0].at,
            "until": group[-1].at,
            "unanswered": dict(Counter(who for _, who in expired)),
        }
        yield _entry(expired[-1][0]).model_copy(update=several)


def _kind(entry: Entry) -> str:
    """Return the type of a fact that changed nothing; "" for other entries."""
    return entry.fact.event.type if isinstance(entry, FactApplied) and not entry.changes else ""


def _entry(entry: Entry) -> FactEntry | TimeEntry:
    """Convert one entry."""
    match entry:
        case FactApplied():
            return FactEntry(
                at=entry.at,
                learned_at=entry.learned_at,
                late=entry.late,
                type=entry.fact.event.type,
                fact_id=entry.fact.id,
                event=entry.fact.event.model_dump(mode="json"),
                source=entry.fact.source,
                why=why(entry),
                changes=list(entry.changes),
            )
        case TimePassed():
            return TimeEntry(
                at=entry.at,
                learned_at=entry.learned_at,
                late=entry.late,
                changes=[entry.change],
            )
        case _:
            assert_never(entry)


def _calendar(promise: Promise) -> CalendarAnswer:
    calendar = promise.bound_calendar()
    return CalendarAnswer(
        name=promise.calendar,
        version=promise.calendar_version or calendar.version,
        zone=calendar.zone,
    )


def _ms(span: timedelta) -> int:
    """Return milliseconds, rounded towards zero: half a millisecond overdue becomes 0."""
    return int(span / timedelta(milliseconds=1))


def _remaining(sums: TimeUsage) -> RemainingAnswer:
    wall_ms = None if sums.left_wall is None else _ms(sums.left_wall)
    return RemainingAnswer(business_ms=_ms(sums.left), wall_ms=wall_ms)


def _paused(sums: TimeUsage) -> PausedAnswer:
    return PausedAnswer(spans=list(sums.pauses), total_ms=_ms(sums.paused))


def _spans(sums: TimeUsage) -> list[SpanAnswer]:
    return [
        SpanAnswer(since=opens, until=closes, counts_ms=_ms(closes - opens))
        for opens, closes in sums.spans
    ]


def _broken(clock: Clock) -> BrokenAnswer | None:
    if clock.broken is None:
        return None
    return BrokenAnswer(called=clock.broken, since=clock.due_at, event_id=clock.broken_id)
