"""Judges a set of facts by the rules of promises, as plainly as they are written.

It shares no code with `sla_monitor.domain`, and counts business time itself, quarter by quarter.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, assert_never
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
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.promises import Promise, Severity

__all__ = ["Name", "Verdict", "judge", "uncounted"]

type Fact = Envelope[Event]
type Name = tuple[str, UUID]
"""A clock: the kind of the promise, and the fact that started it."""
type Span = tuple[datetime, datetime | None]
type Broken = Literal["breached", "missed"]

_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_QUARTERS: Final = 2 * 366 * 24 * 4
_QUARTER: Final = timedelta(minutes=15)
"""No zone's offset, and no opening hour here, is finer than that."""
_SATURDAY: Final = 5
_OPENS, _CLOSES = time(9), time(17)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one promise comes to."""

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
        """Due by ``now``, and not settled at or before it was due."""
        if self.due_at is None or self.due_at > now:
            return None
        if self.settled_at is not None and self.settled_at <= self.due_at:
            return None
        return "breached" if self.promise_class == "guarantee" else "missed"


def judge(
    facts: Iterable[Fact], exception_of: Callable[[TicketAccepted, datetime], str | None]
) -> dict[Name, Verdict]:
    """Say what each promise comes to."""
    story = sorted({fact.id: fact for fact in facts}.values(), key=lambda f: (f.time, f.id))
    opened = next((f for f in story if isinstance(f.event, TicketAccepted)), None)
    if opened is None or not isinstance(opened.event, TicketAccepted):
        return {}
    ends = [i for i, f in enumerate(story) if isinstance(f.event, TicketMerged | TicketErased)]
    ended = story[ends[0]] if ends else None
    counted = story[: ends[0]] if ends else story
    severity = opened.event.severity
    for fact in counted:
        if isinstance(fact.event, TicketReclassified | SeverityReclassified):
            severity = fact.event.severity
    name = exception_of(opened.event, opened.time)
    verdicts: dict[Name, Verdict] = {}
    for promise in opened.event.promised(severity, opened.time):
        for start, answer in _started(promise, opened, counted):
            verdict = _verdict(promise, severity, start, answer, counted, ended, name)
            verdicts[promise.kind, start.id] = verdict
    return verdicts


def uncounted(verdict: Verdict, until: datetime) -> timedelta:
    """Measure the wall time from the start to ``until`` that did not count."""
    start = verdict.started_at
    edges = sorted({start, until, *_within(verdict.spans, start, until)})
    silent = [
        b - a for a, b in pairwise(edges) if start <= a < until and _covered(a, verdict.spans)
    ]
    return sum(silent, timedelta(0))


def _started(
    promise: Promise, opened: Fact, counted: Sequence[Fact]
) -> list[tuple[Fact, Fact | None]]:
    """Say which facts start a clock of this promise, each with what meets it."""
    answers = [f for f in counted if _answers(f)]
    match promise.kind:
        case "first_response" | "callback" | "join":
            return [(opened, answers[0] if answers else None)]
        case "resolution":
            standing = _since_reopened(counted)
            solved = (f for f in standing if isinstance(f.event, TicketResolved))
            return [(opened, next(solved, None))]
        case "next_response":
            return _asked(counted)
        case _:
            assert_never(promise.kind)


def _asked(counted: Sequence[Fact]) -> list[tuple[Fact, Fact | None]]:
    """Each reply that has an answer somewhere before it and none awaited: since an answer."""
    asked: list[tuple[Fact, Fact | None]] = []
    for i, fact in enumerate(counted):
        before = [f for f in counted[:i] if _answers(f) or isinstance(f.event, CustomerReplied)]
        answered = any(_answers(f) for f in before)
        if isinstance(fact.event, CustomerReplied) and answered and _answers(before[-1]):
            asked.append((fact, next((f for f in counted[i:] if _answers(f)), None)))
    return asked


def _answers(fact: Fact) -> bool:
    answers = (
        TicketResponded | AssignmentResponded | CustomerReached | CallbackSettled | TicketResolved
    )
    return isinstance(fact.event, answers)


def _since_reopened(counted: Sequence[Fact]) -> Sequence[Fact]:
    """Leave out what a reopening has undone."""
    reopened = [i for i, f in enumerate(counted) if isinstance(f.event, TicketReopened)]
    return counted[reopened[-1] :] if reopened else counted


def _verdict(
    promise: Promise,
    severity: Severity,
    start: Fact,
    answer: Fact | None,
    counted: Sequence[Fact],
    ended: Fact | None,
    exception: str | None,
) -> Verdict:
    spans = _spans(promise, counted)
    closed = next((f for f in _since_reopened(counted) if isinstance(f.event, TicketClosed)), None)
    settled = answer or ended or closed
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
        started_at=start.time,
        settled_at=None if settled is None else settled.time,
        cancelled_for=why,
        due_at=_used_up(promise, start.time, promise.target_s, spans),
        warn_at=tuple((s, _used_up(promise, start.time, s, spans)) for s in used_us),
        target_s=promise.target_s,
        severity=severity,
        promise_class="objective" if excepted else promise.promise_class,
        exception=exception if excepted else None,
        spans=tuple(spans),
    )


def _spans(promise: Promise, counted: Sequence[Fact]) -> list[Span]:
    """List the spans that do not count; they may overlap."""
    spans: list[Span] = []
    for i, fact in enumerate(counted):
        if _silences(promise, fact.event):
            until = next((f.time for f in counted[i + 1 :] if _ends(fact.event, f.event)), None)
            spans.append((fact.time, until))
    return spans


def _silences(promise: Promise, event: Event) -> bool:
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
    """Tell whether ``event`` ends the span that ``begun`` began."""
    match begun, event:
        case _, TicketReopened():
            return True
        case TicketWaiting(waiting_for=cause), TicketWaiting(waiting_for=other):
            return other != cause
        case TicketWaiting(), TicketResumed():
            return True
        case TicketWaiting(waiting_for="customer"), CustomerReplied():
            return True
        case _:
            return False


def _warned_after_s(point: str, target_s: int) -> int:
    """Read "50%", "15 min left"."""
    if point.endswith("%"):
        return target_s * int(point[:-1]) // 100
    number, unit, _ = point.split()
    return target_s - int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def _used_up(
    promise: Promise, start: datetime, used_s: int, spans: Sequence[Span]
) -> datetime | None:
    """Walk from edge to edge of the spans; between two edges all counts, or nothing does."""
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
    """Measure the calendar's time from the first quarter to ``at``."""
    if promise.calendar == "always":
        return at - _FIRST
    opened, quarter = _open_quarters(promise.time_zone), (at - _FIRST) // _QUARTER
    is_open = opened[quarter + 1] > opened[quarter]
    return opened[quarter] * _QUARTER + ((at - _FIRST) % _QUARTER if is_open else timedelta(0))


def _reached(promise: Promise, counted: timedelta) -> datetime:
    """Say when that much was first counted."""
    if promise.calendar == "always":
        return _FIRST + counted
    quarters, rest = divmod(counted, _QUARTER)
    if not rest:
        return _FIRST + bisect_left(_open_quarters(promise.time_zone), quarters) * _QUARTER
    last = bisect_left(_open_quarters(promise.time_zone), quarters + 1) - 1
    return _FIRST + last * _QUARTER + rest


@lru_cache
def _open_quarters(zone: str) -> list[int]:
    """Count, before each quarter of an hour, those in which somebody works."""
    opened = [0]
    for quarter in range(_QUARTERS):
        local = (_FIRST + quarter * _QUARTER).astimezone(ZoneInfo(zone))
        works = local.weekday() < _SATURDAY and _OPENS <= local.time() < _CLOSES
        opened.append(opened[-1] + works)
    return opened
