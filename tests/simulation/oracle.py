"""A simple, independent implementation of the rules of promises: from facts to expected clocks.

It shares no code with `sla_monitor.domain`, and counts business time itself, by quarter hours.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.events import (
    AssignmentResponded,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    SeverityReclassified,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketFact,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import Promise, Severity
from shared.tickets import identity_of

__all__ = ["Name", "Verdict", "judge", "uncounted"]

type Fact = Envelope[Event]
type Name = tuple[str, UUID]
"""A clock: the kind of the promise, and the fact that started it."""
type Span = tuple[datetime, datetime | None]
type Broken = Literal["breached", "missed"]

_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_QUARTERS: Final = 2 * 366 * 24 * 4
_QUARTER: Final = timedelta(minutes=15)
"""The resolution: all zone offsets and opening hours here are multiples of it."""
_FIRST_KINDS: Final = frozenset({"first_response", "callback", "join"})
_SATURDAY: Final = 5
_OPENS, _CLOSES = time(9), time(17)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The expected state of one promise."""

    state: Literal["running", "paused", "met", "cancelled"]
    started_at: datetime
    settled_at: datetime | None
    cancelled_for: str | None
    due_at: datetime | None
    warn_at: tuple[tuple[int, datetime | None], ...]
    target_s: int
    severity: Severity
    promise_class: str
    exception: str | None
    spans: tuple[Span, ...]

    def broken(self, now: datetime) -> Broken | None:
        """Return how it is broken by ``now``; None if it is not."""
        if self.due_at is None or self.due_at > now:
            return None
        if self.settled_at is not None and self.settled_at <= self.due_at:
            return None
        return "breached" if self.promise_class == "guarantee" else "missed"


def judge(
    facts: Iterable[Fact], exception_of: Callable[[TicketAccepted, datetime], str | None]
) -> dict[Name, Verdict]:
    """Return the expected state of each promise."""
    ordered = _in_order(facts)
    if not ordered:
        return {}
    opened = ordered[0]
    assert isinstance(opened.event, TicketAccepted)
    ends = [i for i, f in enumerate(ordered) if isinstance(f.event, TicketMerged | TicketErased)]
    ended = ordered[ends[0]] if ends else None
    counted = ordered[: ends[0]] if ends else ordered
    name = exception_of(opened.event, opened.time)
    verdicts: dict[Name, Verdict] = {}
    reopened_at = _reopened_at(counted)
    for kinds, start, at, answer in _demands(counted, reopened_at):
        current = counted[reopened_at[-1] :]
        closed = next((f for f in current if isinstance(f.event, TicketClosed)), None)
        settled = answer or ended or closed
        severity, since = _priced(counted, settled)
        for promise in opened.event.promised(severity, opened.time):
            if promise.kind in kinds:
                begun = min(at, since) if start is opened else at
                verdicts[promise.kind, start.id] = _verdict(
                    promise,
                    severity,
                    begun,
                    answer,
                    _spans(promise, counted, reopened_at),
                    settled,
                    name,
                )
    return verdicts


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Sort the facts that count, the request first; facts equal in all but their id are one.

    Only the derived id comes from shared code, because it orders facts of one instant.
    """
    by_content = {_content(fact): replace(fact, id=identity_of(fact)) for fact in facts}
    ordered = sorted(by_content.values(), key=lambda f: (f.time, f.id))
    opened = next((f for f in ordered if isinstance(f.event, TicketAccepted)), None)
    if opened is None:
        return []
    early = [f for f in ordered if f.time < opened.time]
    early = [
        f
        for f in early
        if f.time >= opened.time - timedelta(minutes=15)
        or isinstance(f.event, TicketAbsorbed | TicketErased)
    ]
    rest = [f for f in ordered if f is not opened and f.time >= opened.time]
    return [opened, *(replace(f, time=opened.time) for f in early), *rest]


def _content(fact: Fact) -> object:
    """Return what makes a fact equal to its copies: its content, or its id if that is derived."""
    copied = isinstance(fact.event, TicketFact)
    if not copied or isinstance(fact.event, TicketAccepted | TicketAbsorbed):
        return fact.id
    return type(fact.event), fact.time, fact.event


def _priced(counted: Sequence[Fact], settled: Fact | None) -> tuple[Severity, datetime]:
    """Return the severity and the create date that apply until the settlement."""
    opened = counted[0]
    assert isinstance(opened.event, TicketAccepted)
    severity, since = opened.event.severity, opened.time
    for fact in counted:
        if fact is settled:
            break
        if isinstance(fact.event, TicketReclassified | SeverityReclassified):
            severity = fact.event.severity
        if isinstance(fact.event, TicketAbsorbed):
            since = min(since, fact.event.create_date)
    return severity, since


def uncounted(verdict: Verdict, until: datetime) -> timedelta:
    """Return the wall time from the start to ``until`` that did not count."""
    start = verdict.started_at
    edges = sorted({start, until, *_within(verdict.spans, start, until)})
    uncounted_spans = [
        b - a for a, b in pairwise(edges) if start <= a < until and _covered(a, verdict.spans)
    ]
    return sum(uncounted_spans, timedelta(0))


def _demands(
    counted: Sequence[Fact], reopened_at: Sequence[int]
) -> Iterator[tuple[frozenset[str], Fact, datetime, Fact | None]]:
    """Yield each demand: promise kinds, starting fact, start time, and answer."""
    opened = counted[0]
    answers = [i for i, f in enumerate(counted) if _answers(f)]
    yield _FIRST_KINDS, opened, opened.time, counted[answers[0]] if answers else None
    current = counted[reopened_at[-1] :]
    solved = (f for f in current if isinstance(f.event, TicketResolved))
    yield frozenset({"resolution"}), opened, opened.time, next(solved, None)
    for begin, end in pairwise([*answers, None]):
        assert begin is not None
        answer = None if end is None else counted[end]
        places = range(begin + 1, len(counted) if end is None else end)
        messages = [counted[i] for i in places if _is_message(counted[i].event, i in reopened_at)]
        first = [f for f in messages if _asks_first(f)]
        following = [f for f in messages if f not in first]
        if first:
            yield _FIRST_KINDS, first[0], min(map(_written_at, first)), answer
        while (
            following and messages[0] in first and isinstance(following[0].event, CustomerReplied)
        ):
            del following[0]
        if following:
            absorbed = [f for f in following if isinstance(f.event, TicketAbsorbed)]
            at = min(map(_written_at, [following[0], *absorbed]))
            yield frozenset({"next_response"}), following[0], at, answer


def _is_message(event: Event, counts: bool) -> bool:
    """Return whether an event has a message of the customer, or of a duplicate's customer."""
    match event:
        case CustomerReplied():
            return counts
        case TicketAbsorbed(owed_since=owed_since):
            return owed_since is not None
        case _:
            return False


def _asks_first(fact: Fact) -> bool:
    event = fact.event
    return isinstance(event, TicketAbsorbed) and event.owed_since == event.create_date


def _written_at(fact: Fact) -> datetime:
    if isinstance(fact.event, TicketAbsorbed) and fact.event.owed_since is not None:
        return min(fact.event.owed_since, fact.time)
    return fact.time


def _reopened_at(counted: Sequence[Fact]) -> list[int]:
    """Return the indexes at which the ticket was opened or reopened."""
    opened = counted[0].event
    assert isinstance(opened, TicketAccepted)
    within = timedelta(seconds=opened.reopen_within_s)
    reopened_at = [0]
    for i, fact in enumerate(counted):
        before = counted[reopened_at[-1] : i]
        closed = next((f.time for f in before if isinstance(f.event, TicketClosed)), None)
        match fact.event:
            case TicketReopened():
                reopened_at.append(i)
            case CustomerReplied() if closed is None or fact.time - closed <= within:
                reopened_at.append(i)
            case TicketAbsorbed(owed_since=None, reopens=reopens):
                if reopens and any(
                    isinstance(f.event, TicketClosed | TicketResolved) for f in before
                ):
                    reopened_at.append(i)
            case TicketAbsorbed():
                reopened_at.append(i)
            case _:
                pass
    return reopened_at


def _answers(fact: Fact) -> bool:
    if isinstance(fact.event, CallbackSettled):
        repeats = fact.event.how == "reached" and fact.event.on == fact.event.ticket_id
        return not repeats
    answers = TicketResponded | AssignmentResponded | CustomerReached | TicketResolved
    return isinstance(fact.event, answers)


def _verdict(
    promise: Promise,
    severity: Severity,
    start: datetime,
    answer: Fact | None,
    spans: Sequence[Span],
    settled: Fact | None,
    exception: str | None,
) -> Verdict:
    why = None
    if settled is not None:
        spans = [span for span in spans if span[0] < settled.time]
        if answer is None:
            reasons = {TicketMerged: "merged", TicketErased: "erased", TicketClosed: "closed"}
            why = reasons[type(settled.event)]
    lasts = any(until is None for _, until in spans)
    excepted = promise.promise_class == "guarantee" and exception is not None
    used_us = sorted(_warned_after_s(point, promise.target_s) for point in promise.warnings)
    return Verdict(
        state="met" if answer else "cancelled" if settled else "paused" if lasts else "running",
        started_at=start,
        settled_at=None if settled is None else settled.time,
        cancelled_for=why,
        due_at=_used_up(promise, start, promise.target_s, spans),
        warn_at=tuple((s, _used_up(promise, start, s, spans)) for s in used_us),
        target_s=promise.target_s,
        severity=severity,
        promise_class="objective" if excepted else promise.promise_class,
        exception=exception if excepted else None,
        spans=tuple(spans),
    )


def _spans(promise: Promise, counted: Sequence[Fact], reopened_at: Sequence[int]) -> list[Span]:
    """Return the spans that do not count; they may overlap."""
    spans: list[Span] = []
    for i, fact in enumerate(counted):
        if _pauses(promise, fact.event):
            later = range(i + 1, len(counted))
            ends = (j for j in later if j in reopened_at or _ends(fact.event, counted[j].event))
            spans.append((fact.time, next((counted[j].time for j in ends), None)))
    return spans


def _pauses(promise: Promise, event: Event) -> bool:
    match event:
        case TicketWaiting(waiting_for=cause):
            return cause in promise.pause_on
        case TicketClosed():
            return True
        case TicketResolved():
            return promise.kind == "resolution"
        case _:
            return False


def _ends(begun: Event, event: Event) -> bool:
    """Return whether ``event`` ends the span that ``begun`` began, without a reopening."""
    match begun, event:
        case TicketWaiting(waiting_for=cause), TicketWaiting(waiting_for=other):
            return other != cause
        case TicketWaiting(), TicketResumed():
            return True
        case _:
            return False


def _warned_after_s(point: str, target_s: int) -> int:
    """Parse "50%" or "15 min left"."""
    if point.endswith("%"):
        return target_s * int(point[:-1]) // 100
    number, unit, _ = point.split()
    return target_s - int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def _used_up(
    promise: Promise, start: datetime, used_s: int, spans: Sequence[Span]
) -> datetime | None:
    """Go through the edges of the spans; between two edges either all time counts, or none."""
    left = timedelta(seconds=used_s)
    edges = sorted({start, *_within(spans, start, None)})
    for begin, end in zip(edges, [*edges[1:], None], strict=True):
        if _covered(begin, spans):
            continue
        counts = None if end is None else _counted(promise, end) - _counted(promise, begin)
        if counts is None or counts >= left:
            return _reached(promise, _counted(promise, begin) + left)
        left -= counts
    return None


def _within(spans: Sequence[Span], start: datetime, end: datetime | None) -> list[datetime]:
    edges = [edge for span in spans for edge in span if edge is not None]
    return [edge for edge in edges if start < edge and (end is None or edge < end)]


def _covered(at: datetime, spans: Sequence[Span]) -> bool:
    return any(since <= at and (until is None or at < until) for since, until in spans)


def _counted(promise: Promise, at: datetime) -> timedelta:
    """Return the calendar time from the first quarter of an hour to ``at``."""
    if promise.calendar == "always":
        return at - _FIRST
    opened, quarter = _open_quarters(promise.time_zone), (at - _FIRST) // _QUARTER
    is_open = opened[quarter + 1] > opened[quarter]
    return opened[quarter] * _QUARTER + ((at - _FIRST) % _QUARTER if is_open else timedelta(0))


def _reached(promise: Promise, counted: timedelta) -> datetime:
    """Return when this calendar time was reached first."""
    if promise.calendar == "always":
        return _FIRST + counted
    quarters, rest = divmod(counted, _QUARTER)
    if not rest:
        return _FIRST + bisect_left(_open_quarters(promise.time_zone), quarters) * _QUARTER
    last = bisect_left(_open_quarters(promise.time_zone), quarters + 1) - 1
    return _FIRST + last * _QUARTER + rest


@lru_cache
def _open_quarters(zone: str) -> list[int]:
    """Return, before each quarter of an hour, the number of open ones."""
    opened = [0]
    for quarter in range(_QUARTERS):
        local = (_FIRST + quarter * _QUARTER).astimezone(ZoneInfo(zone))
        works = local.weekday() < _SATURDAY and _OPENS <= local.time() < _CLOSES
        opened.append(opened[-1] + works)
    return opened
