"""What the read API answers: clocks as they stand, and the timeline of a ticket.

Instants are RFC 3339 in UTC, durations whole milliseconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, assert_never
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Breakdown, Cancellation, OfferExpired
from shared.sla.promises import Channel, Promise, PromiseClass, PromiseKind, Severity
from shared.tickets.ringing import group_expired_offers
from sla_monitor.domain.change import Change, Passing
from sla_monitor.domain.clock import Broken, Clock, Key, State
from sla_monitor.domain.clock_status import PausedSpan, Reckoning, Standing, WarningPoint, standings
from sla_monitor.domain.derive import ExceptionOf, no_exception
from sla_monitor.domain.explanations import why
from sla_monitor.domain.replay import Learned
from sla_monitor.domain.ticket_facts import Story, read
from sla_monitor.domain.timeline import Entry, Happened, Passed, timeline

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
    """Whose ticket it is, and the policy that priced it."""

    source: str
    external_id: str
    account_id: str
    channel: Channel
    severity: Severity
    time_zone: str = Field(description="The account's, for people's clocks.")
    created_at: datetime = Field(
        description="The create date; a clock says by `started_at` what it runs from."
    )
    policy: str = Field(description="The version that priced the request.")


class CalendarAnswer(_Answer):
    """What time counts for a promise."""

    name: str
    version: str = Field(description="Of its content, tzdata and holidays included.")
    zone: str


class RemainingAnswer(_Answer):
    """What is left as of `as_of`, negative when over."""

    business_ms: int = Field(description="By the promise's calendar, without the pauses.")
    wall_ms: int | None = Field(description="Up to `due_at`; null while nothing is due.")


class PausedAnswer(_Answer):
    """All that does not count, though the calendar would."""

    spans: list[PausedSpan]
    total_ms: int = Field(description="Wall time; where causes overlap, each instant once.")


class SpanAnswer(_Answer):
    """A span of calendar time that counts, whole."""

    since: datetime
    until: datetime
    counts_ms: int


class BrokenAnswer(_Answer):
    """The promise is broken, and nobody has taken that back."""

    called: Broken
    since: datetime | None
    event_id: UUID | None = Field(description="Of the breach or miss on `breaches.v1`.")


class ClockAnswer(_Answer):
    """A promise being timed, as of `as_of`: when it was settled, else now."""

    kind: PromiseKind
    started_by: UUID = Field(description="The fact that started it; tells apart what recurs.")
    promise_class: PromiseClass
    exception: str | None = Field(
        description="The declared exception that made an objective of a guarantee."
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
    used_ms: int | None = Field(description="Of `target_ms`, in calendar time.")
    paused: PausedAnswer | None
    spans: list[SpanAnswer] = Field(
        description="The calendar's spans, pauses left out, that add up to the due time;"
        " while nothing is due, those used up so far."
    )
    warnings: list[WarningPoint]
    broken: BrokenAnswer | None
    retractions: int = Field(description="How often a breach or miss was taken back.")
    breakdown: Breakdown = Field(description="Where the wall time went, up to `as_of`.")


class Clocks(_Answer):
    """A ticket's clocks. `ticket` is null until its request is known."""

    ticket_id: UUID
    ticket: TicketAnswer | None
    now: datetime
    clocks: list[ClockAnswer]


class FactEntry(_Answer):
    """Somebody told something. `late`: what happened after it was already known."""

    entry: Literal["fact"] = "fact"
    at: datetime = Field(description="When it happened.")
    learned_at: datetime = Field(description="When it became known here.")
    late: bool
    times: int = Field(
        default=1, description="How many times: offers that no one answered are told together."
    )
    until: datetime | None = Field(default=None, description="When it happened last, of several.")
    type: str = Field(examples=["premium.ticket.waiting.v1"])
    fact_id: UUID
    source: str = Field(description="Who told.")
    why: str = Field(description="The rule that applied, in words.")
    changes: list[Change]


class TimeEntry(_Answer):
    """Time passed a warning point or a due time. `late`: that could be known only afterwards."""

    entry: Literal["time"] = "time"
    at: datetime
    learned_at: datetime
    late: bool
    changes: list[Passing]


class Timeline(_Answer):
    """A ticket's story up to `now`, in order of what happened."""

    ticket_id: UUID
    ticket: TicketAnswer | None
    now: datetime
    entries: list[Annotated[FactEntry | TimeEntry, Field(discriminator="entry")]]


def clocks_answer(
    ticket_id: UUID, learned: Iterable[Learned], clocks: Mapping[Key, Clock], *, now: datetime
) -> Clocks:
    """Say how a ticket's clocks stand."""
    story = read(one.fact for one in learned)
    if story is None:
        return Clocks(ticket_id=ticket_id, ticket=None, now=now, clocks=[])
    policy = story.accepted.policy
    stand = [clock_answer(each, policy) for each in standings(story, clocks, now=now)]
    return Clocks(ticket_id=ticket_id, ticket=_ticket(story), now=now, clocks=stand)


def timeline_answer(
    ticket_id: UUID,
    learned: Iterable[Learned],
    *,
    now: datetime,
    exception_of: ExceptionOf = no_exception,
) -> Timeline:
    """Tell a ticket's story."""
    known = list(learned)
    story = read(one.fact for one in known)
    return Timeline(
        ticket_id=ticket_id,
        ticket=None if story is None else _ticket(story),
        now=now,
        entries=[*_entries(timeline(known, now=now, exception_of=exception_of))],
    )


def _ticket(story: Story) -> TicketAnswer:
    """Say whose ticket it is."""
    accepted = story.accepted
    return TicketAnswer(
        source=accepted.source,
        external_id=accepted.external_id,
        account_id=accepted.account_id,
        channel=accepted.channel,
        severity=story.severity,
        time_zone=accepted.time_zone,
        created_at=story.opened.time,
        policy=accepted.policy,
    )


def clock_answer(standing: Standing, policy: str) -> ClockAnswer:
    """Say how a clock stands."""
    clock, promise, sums = standing.clock, standing.promise, standing.reckoning
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
        as_of=standing.as_of,
        remaining=sums and _remaining(sums),
        used_ms=sums and _ms(sums.used),
        paused=sums and _paused(sums),
        spans=_spans(sums) if sums else [],
        warnings=list(sums.warnings) if sums else [],
        broken=_broken(clock),
        retractions=clock.retractions,
        breakdown=standing.breakdown,
    )


def _entries(entries: Iterable[Entry]) -> Iterator[FactEntry | TimeEntry]:
    """Say what entries tell; offers that rang in vain, together."""
    for group in group_expired_offers(entries, _kind):
        first, told = group[0], _entry(group[-1])
        silent = [one for one in group if _kind(one) == OfferExpired.type]
        if len(group) > 1 and isinstance(told, FactEntry):
            why = f"it rang {len(silent)} times, and no one answered: clocks run on"
            yield told.model_copy(
                update={
                    "at": first.at,
                    "until": told.at,
                    "type": OfferExpired.type,
                    "times": len(silent),
                    "why": why,
                }
            )
        else:
            yield told


def _kind(entry: Entry) -> str:
    """Name the type of a fact that changed nothing."""
    return entry.fact.event.type if isinstance(entry, Happened) and not entry.changes else ""


def _entry(entry: Entry) -> FactEntry | TimeEntry:
    """Say what an entry tells."""
    match entry:
        case Happened():
            return FactEntry(
                at=entry.at,
                learned_at=entry.learned_at,
                late=entry.late,
                type=entry.fact.event.type,
                fact_id=entry.fact.id,
                source=entry.fact.source,
                why=why(entry),
                changes=list(entry.changes),
            )
        case Passed():
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
    """Round towards zero: half a millisecond over is not over by one."""
    return int(span / timedelta(milliseconds=1))


def _remaining(sums: Reckoning) -> RemainingAnswer:
    wall_ms = None if sums.left_wall is None else _ms(sums.left_wall)
    return RemainingAnswer(business_ms=_ms(sums.left), wall_ms=wall_ms)


def _paused(sums: Reckoning) -> PausedAnswer:
    return PausedAnswer(spans=list(sums.pauses), total_ms=_ms(sums.paused))


def _spans(sums: Reckoning) -> list[SpanAnswer]:
    return [
        SpanAnswer(since=opens, until=closes, counts_ms=_ms(closes - opens))
        for opens, closes in sums.spans
    ]


def _broken(clock: Clock) -> BrokenAnswer | None:
    if clock.broken is None:
        return None
    return BrokenAnswer(called=clock.broken, since=clock.due_at, event_id=clock.broken_id)
