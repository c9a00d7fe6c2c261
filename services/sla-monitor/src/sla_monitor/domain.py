"""A clock is a pure function of the facts about its ticket; what is announced is the difference.

`derive` reads the whole set of facts, whatever their order, and says what each promise comes to.
`follow` compares that with the clock as it was and announces what changed. `fall_due` announces
what time alone brings: warnings and the breach. Nothing is announced before its time, and what
a late fact disproves is retracted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

from shared.events import (
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    CustomerReached,
    CustomerReplied,
    Envelope,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
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
from shared.promises import (
    WARNING_POINTS,
    Channel,
    Pause,
    Promise,
    PromiseClass,
    PromiseKind,
    Severity,
    due_after_pauses,
)

__all__ = ["Announced", "Clock", "Fact", "derive", "fall_due", "follow", "next_at"]

SOURCE: Final = "sla-monitor"

type Fact = Envelope[TicketFact]
type Announced = Envelope[ClockFact]
type State = Literal["running", "paused", "met", "cancelled"]
type Broken = Literal["breached", "missed"]


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise being timed, and what has been announced of it.

    ``due_at`` is None while nothing is due (paused before it was used up). ``warn_at`` goes with
    WARNING_POINTS. ``warned`` is the highest percent announced; ``retractions`` tells apart a
    breach announced anew from the one that was taken back.
    """

    ticket_id: UUID
    kind: PromiseKind
    promise_class: PromiseClass
    account_id: str
    channel: Channel
    severity: Severity
    target_s: int
    started_at: datetime
    due_at: datetime | None
    warn_at: tuple[datetime | None, ...]
    state: State
    settled_at: datetime | None = None
    warned: int = 0
    broken: Broken | None = None
    broken_id: UUID | None = None
    retractions: int = 0


def derive(facts: Iterable[Fact]) -> list[Clock]:
    """Say what the facts come to, as if nothing had been announced; no clock before acceptance."""
    ordered = sorted(facts, key=lambda fact: (fact.time, fact.id))
    opened = next((f for f in ordered if isinstance(f.event, TicketAccepted)), None)
    if opened is None or not isinstance(opened.event, TicketAccepted):
        return []
    accepted = opened.event
    severity = _severity(accepted, ordered)
    pauses = _pauses(ordered)
    state, settled_at = _settlement(ordered, pauses)
    if settled_at is not None:
        pauses = [pause for pause in pauses if pause.since < settled_at]
    return [
        Clock(
            ticket_id=accepted.ticket_id,
            kind=promise.kind,
            promise_class=promise.promise_class,
            account_id=accepted.account_id,
            channel=accepted.channel,
            severity=severity,
            target_s=promise.target_s,
            started_at=opened.time,
            due_at=_used_up(promise, opened.time, 100, pauses),
            warn_at=tuple(_used_up(promise, opened.time, p, pauses) for p in WARNING_POINTS),
            state=state,
            settled_at=settled_at,
        )
        for promise in _promises(accepted, severity, opened.time)
    ]


def follow(old: Clock | None, truth: Clock, cause: Fact) -> tuple[Clock, list[Announced]]:
    """Bring a clock to what the facts now say, and announce what changed."""
    if old is None:
        started = replace(truth, state="running", settled_at=None)
        event = ClockStarted(**_whose(started), due_at=started.due_at)
        clock, events = follow(started, truth, cause)
        return clock, [_because(cause, event, started.started_at), *events]
    clock = replace(
        truth,
        warned=old.warned if truth.target_s == old.target_s else 0,
        broken=old.broken,
        broken_id=old.broken_id,
        retractions=old.retractions,
    )
    return clock, [_because(cause, event, time) for event, time in _changes(old, truth, cause)]


def fall_due(clock: Clock, *, now: datetime) -> tuple[Clock, list[Announced]]:
    """Announce what has fallen due by ``now``; take back a breach that was none.

    A warning whose breach has passed, or that a later one has overtaken, is left out.
    """
    if clock.broken is not None:
        if _is_late(clock, now):
            return clock, []
        kept, taken_back = _retract(clock)
        due, events = fall_due(kept, now=now)
        return due, [*taken_back, *events]
    if _is_late(clock, now):
        return _break(clock)
    percent = max((p for p, at in _warnings(clock) if at <= now), default=0)
    if not percent:
        return clock, []
    at = clock.warn_at[WARNING_POINTS.index(percent)]
    assert at is not None  # noqa: S101 - _warnings gave it
    event = ClockWarned(**_whose(clock), percent=percent, due_at=_due(clock))
    return replace(clock, warned=percent), [_by_timer(clock, event, at)]


def next_at(clock: Clock) -> datetime | None:
    """Say when there will next be something to announce, if no further fact comes."""
    if clock.broken is not None:
        return None
    instants = [at for _, at in _warnings(clock)]
    if clock.due_at is not None and not _in_time(clock):
        instants.append(clock.due_at)
    return min(instants, default=None)


def _severity(accepted: TicketAccepted, ordered: Sequence[Fact]) -> Severity:
    severity = accepted.severity
    for fact in ordered:
        if isinstance(fact.event, TicketReclassified):
            severity = fact.event.severity
    return severity


def _promises(
    accepted: TicketAccepted, severity: Severity, create_date: datetime
) -> tuple[Promise, ...]:
    return tuple(p for p in accepted.promised(severity, create_date) if p.due_at is not None)


def _pauses(ordered: Sequence[Fact]) -> list[Pause]:
    """Read the spans in which nothing counts: waits for others, and closed until reopened."""
    pauses: list[Pause] = []
    since: datetime | None = None
    for fact in ordered:
        match fact.event:
            case TicketWaiting() | TicketClosed():
                since = since or fact.time
            case TicketResumed() | TicketReopened() | CustomerReplied() if since is not None:
                pauses.append(Pause(since, fact.time))
                since = None
            case _:
                pass
    return pauses if since is None else [*pauses, Pause(since, None)]


def _settlement(ordered: Sequence[Fact], pauses: Sequence[Pause]) -> tuple[State, datetime | None]:
    """Find the first answer; without one, a ticket that stays closed is owed nothing more."""
    closed_at: datetime | None = None
    for fact in ordered:
        match fact.event:
            case TicketResponded() | CustomerReached() | TicketResolved():
                return "met", fact.time
            case TicketClosed():
                closed_at = closed_at or fact.time
            case TicketReopened():
                closed_at = None
            case _:
                pass
    if closed_at is not None:
        return "cancelled", closed_at
    paused = bool(pauses) and pauses[-1].until is None
    return ("paused" if paused else "running"), None


def _used_up(
    promise: Promise, start: datetime, percent: int, pauses: Sequence[Pause]
) -> datetime | None:
    """Say when ``percent`` of the target is used up."""
    target = promise.target * percent / 100
    return due_after_pauses(promise.bound_calendar(), start, target, pauses)


def _changes(old: Clock, new: Clock, cause: Fact) -> Iterable[tuple[ClockFact, datetime]]:
    """List what to announce between two states, each with the time it happened."""
    whose = _whose(new)
    if (old.severity, old.target_s) != (new.severity, new.target_s):
        yield ClockRepriced(**whose, target_s=new.target_s, due_at=new.due_at), cause.time
    match old.state, new.state:
        case before, "met" if before != "met":
            assert new.settled_at is not None  # noqa: S101 - met is settled
            met = ClockMet(**whose, due_at=new.due_at, met_at=new.settled_at, in_time=_in_time(new))
            yield met, new.settled_at
        case before, "cancelled" if before != "cancelled":
            yield ClockCancelled(**whose), new.settled_at or cause.time
        case "running", "paused":
            yield ClockPaused(**whose), cause.time
        case before, "running" if before != "running" or _moved(old, new):
            yield ClockResumed(**whose, due_at=_due(new)), cause.time
        case _:
            pass


def _moved(old: Clock, new: Clock) -> bool:
    """Tell whether a whole pause was learned of after it ended."""
    return old.due_at != new.due_at and old.target_s == new.target_s


def _in_time(clock: Clock) -> bool:
    """Tell whether the clock was settled before anything was due."""
    if clock.settled_at is None:
        return False
    return clock.due_at is None or clock.settled_at <= clock.due_at


def _is_late(clock: Clock, now: datetime) -> bool:
    return clock.due_at is not None and clock.due_at <= now and not _in_time(clock)


def _warnings(clock: Clock) -> list[tuple[int, datetime]]:
    """List the warnings still to come: none for a clock that is settled or paused."""
    if clock.state != "running":
        return []
    return [
        (percent, at)
        for percent, at in zip(WARNING_POINTS, clock.warn_at, strict=True)
        if at is not None and percent > clock.warned
    ]


def _break(clock: Clock) -> tuple[Clock, list[Announced]]:
    due_at = _due(clock)
    event: ClockFact
    broken: Broken
    if clock.promise_class == "guarantee":
        broken, event = "breached", PromiseBreached(**_whose(clock), due_at=due_at)
    else:
        broken, event = "missed", PromiseMissed(**_whose(clock), due_at=due_at)
    announced = _by_timer(clock, event, due_at)
    return replace(clock, broken=broken, broken_id=announced.id), [announced]


def _retract(clock: Clock) -> tuple[Clock, list[Announced]]:
    assert clock.broken is not None  # noqa: S101 - asked for by fall_due
    assert clock.broken_id is not None  # noqa: S101 - set with broken
    event = PromiseRetracted(**_whose(clock), retracted=clock.broken, retracted_id=clock.broken_id)
    time = clock.settled_at or clock.started_at
    announced = Envelope.caused_by(clock.broken_id, event, source=SOURCE, time=time)
    kept = replace(clock, broken=None, broken_id=None, retractions=clock.retractions + 1)
    return kept, [announced]


def _due(clock: Clock) -> datetime:
    assert clock.due_at is not None  # noqa: S101 - asked for only where something is due
    return clock.due_at


def _whose(clock: Clock) -> dict[str, object]:
    return {
        "ticket_id": clock.ticket_id,
        "kind": clock.kind,
        "promise_class": clock.promise_class,
        "account_id": clock.account_id,
        "channel": clock.channel,
        "severity": clock.severity,
    }


def _because(cause: Fact, event: ClockFact, time: datetime) -> Announced:
    return Envelope.caused_by(
        cause.id, event, source=SOURCE, time=time, traceparent=cause.traceparent
    )


def _by_timer(clock: Clock, event: ClockFact, at: datetime) -> Announced:
    """Derive the id from the timer: the clock and the instant it was set for."""
    timer = uuid5(uuid5(clock.ticket_id, clock.kind), f"{at.isoformat()}/{clock.retractions}")
    return Envelope.caused_by(timer, event, source=SOURCE, time=at)
