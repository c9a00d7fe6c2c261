"""The sentences of an explanation: the state of a promise, and how its due time adds up."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from premium.explain.responses import Change, Clock, Clocks, PausedSpan, Span
from premium.timestamps import Local, duration, plain

__all__ = ["Row", "Tone", "calculation", "described", "next_events", "sum_line", "verdict"]

type Row = tuple[str, str, str, str]
"""How much a span counts, the span in UTC and in local time, and a remark."""
type Tone = Literal["good", "bad", "missed", "warn", "calm"]

_PAUSED_FOR: Final = {
    "customer": "waits for the customer",
    "vendor": "waits for the vendor",
    "other": "waits for a third party",
}


def verdict(clock: Clock) -> tuple[str, Tone]:
    """Describe the state of a promise in a few words."""
    left_ms = clock.remaining.business_ms if clock.remaining else 0
    if clock.broken is not None:
        return _broken(clock, clock.broken.called, f"{duration(left_ms)} over")
    if left_ms < 0 and clock.state in ("met", "running"):
        done = "answered" if clock.state == "met" else "unanswered"
        return f"{done}, {duration(left_ms)} over; not announced yet", "bad"
    match clock.state:
        case "met":
            return f"met, with {duration(left_ms)} left", "good"
        case "cancelled":
            return f"cancelled ({clock.cancelled_for})", "calm"
        case "paused":
            return f"paused, {duration(left_ms)} left when it goes on", "warn"
        case _:
            return f"{duration(left_ms)} left", "calm"


def _broken(clock: Clock, called: str, over: str) -> tuple[str, Tone]:
    ends = {"met": "answered", "cancelled": "cancelled"}
    tone: Tone = "bad" if called == "breached" else "missed"
    return f"{called.upper()}, {ends.get(clock.state, 'still unanswered')}, {over}", tone


def described(change: Change, local: Local) -> tuple[str, Tone]:
    """Describe a change of a clock."""
    return f"{plain(change.kind)}: {_changed(change, local)}", _tone(change)


def _changed(change: Change, local: Local) -> str:
    due, before = _due(change.due_at, local), _due(change.due_before, local)
    match change.change:
        case "started":
            text = f"{duration(change.target_ms)} promised, {due}"
        case "repriced":
            was, now = duration(change.target_before_ms), duration(change.target_ms)
            text = f"re-priced from {was} to {now}, {before} → {due}"
        case "paused" | "resumed" | "moved" as moved:
            text = f"{moved}, {before} → {due}"
        case "met":
            text = f"answered {'in time' if change.in_time else 'too late'}"
        case "cancelled":
            text = f"cancelled ({change.reason})"
        case "retracted":
            when = _due(change.said_due_at, local)
            text = f"{change.retracted} ({when}) retracted: {change.reason}"
        case "warned":
            text = f"{change.percent} % used up, {due}"
        case "broken":
            text = change.called.upper() + (", retracted later" if change.taken_back else "")
        case unknown:
            text = plain(unknown)
    return text


def _tone(change: Change) -> Tone:
    match change.change:
        case "met":
            return "good" if change.in_time else "bad"
        case "broken" if not change.taken_back:
            return "bad" if change.called == "breached" else "missed"
        case "broken" | "retracted" | "warned" | "repriced":
            return "warn"
        case _:
            return "calm"


def _due(at: datetime | None, local: Local) -> str:
    return "nothing due" if at is None else f"due {local.utc(at)}"


def next_events(clocks: Clocks, local: Local) -> Sequence[str]:
    """List what happens next if the ticket stays unanswered, the soonest first."""
    soon = sorted(_soon(clocks), key=lambda each: each[0])
    ahead = [f"{local.both(at)}: {what}" for at, what in soon]
    return [*_owed(clocks), *ahead] or ["Nothing: no promise is open."]


def _owed(clocks: Clocks) -> Iterator[str]:
    for clock in clocks.clocks:
        if clock.is_open and clock.broken is not None:
            yield f"The {plain(clock.kind)} is still owed; an answer now meets it late."
        elif clock.state == "paused":
            yield f"The {plain(clock.kind)} is paused until the wait ends."


def _soon(clocks: Clocks) -> Iterator[tuple[datetime, str]]:
    for clock in clocks.clocks:
        if clock.state != "running" or clock.broken is not None:
            continue
        kind = plain(clock.kind)
        for warning in clock.warnings:
            if warning.at is not None and not warning.announced and warning.at > clocks.now:
                yield warning.at, f"{kind} warned at {warning.point}"
        if clock.due_at is not None:
            called = "breached" if clock.promise_class == "guarantee" else "missed"
            yield clock.due_at, f"{kind} due; if unanswered, {called}"


def calculation(clock: Clock, now: datetime, local: Local) -> Sequence[Row]:
    """List the spans that add up to the due time, and the pauses between them, which count 0."""
    pauses = clock.paused.spans if clock.paused else ()
    rows = [
        *((span.since, _counted(span, local)) for span in clock.spans),
        *(
            (pause.since, _uncounted(pause, now, local))
            for pause in pauses
            if clock.due_at is None or pause.since < clock.due_at
        ),
    ]
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def sum_line(clock: Clock, local: Local) -> str:
    """Describe the sum of the spans."""
    total_ms = sum(span.counts_ms for span in clock.spans)
    if clock.due_at is not None:
        return f"= {duration(total_ms)}, so it is due {local.both(clock.due_at)}"
    left = duration(clock.target_ms - total_ms)
    return f"= {duration(total_ms)} used up, {left} left; nothing is due"


def _counted(span: Span, local: Local) -> Row:
    return duration(span.counts_ms), *local.span(span.since, span.until), ""


def _uncounted(pause: PausedSpan, now: datetime, local: Local) -> Row:
    why = _PAUSED_FOR.get(pause.cause, plain(pause.cause))
    lasts = " until now" if pause.until is None else ""
    span = local.span(pause.since, pause.until or max(now, pause.since))
    return "0 min", *span, f"pause: {why}{lasts}"
