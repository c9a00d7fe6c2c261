"""The sentences of an explanation: what became of a promise, and how its due time adds up."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from premium.explain.answers import Change, Clock, Clocks, PausedSpan, Span
from premium.moments import Local, length, words

__all__ = ["Mood", "Row", "changed", "concluded", "next_up", "reckoned", "verdict"]

type Row = tuple[str, str, str, str]
"""What a span counts, the span in UTC and by the account's clock, and what is to be said of it."""
type Mood = Literal["good", "bad", "missed", "warn", "calm"]

_PAUSED_FOR: Final = {
    "customer": "waits for the customer",
    "vendor": "waits for the vendor",
    "other": "waits for somebody else",
}


def verdict(clock: Clock) -> tuple[str, Mood]:
    """Say in a few words how a promise stands, and how that feels."""
    left_ms = clock.remaining.business_ms if clock.remaining else 0
    if clock.broken is not None:
        return _broken_for(clock, clock.broken.called, f"{length(left_ms)} over")
    if left_ms < 0 and clock.state in ("met", "running"):
        done = "answered" if clock.state == "met" else "unanswered"
        return f"{done}, {length(left_ms)} over; not announced yet", "bad"
    match clock.state:
        case "met":
            return f"kept, with {length(left_ms)} to spare", "good"
        case "cancelled":
            return f"not owed any more ({clock.cancelled_for})", "calm"
        case "paused":
            return f"paused, {length(left_ms)} left when it goes on", "warn"
        case _:
            return f"{length(left_ms)} left", "calm"


def _broken_for(clock: Clock, called: str, over: str) -> tuple[str, Mood]:
    ends = {"met": "answered", "cancelled": "cancelled"}
    mood: Mood = "bad" if called == "breached" else "missed"
    return f"{called.upper()}, {ends.get(clock.state, 'still unanswered')}, {over}", mood


def changed(change: Change, local: Local) -> tuple[str, Mood]:
    """Say what became of one clock."""
    return f"{words(change.kind)}: {_changed(change, local)}", _mood(change)


def _changed(change: Change, local: Local) -> str:
    due, before = _due(change.due_at, local), _due(change.due_before, local)
    match change.change:
        case "started":
            said = f"{length(change.target_ms)} promised, {due}"
        case "repriced":
            was, now = length(change.target_before_ms), length(change.target_ms)
            said = f"re-priced from {was} to {now}, {before} → {due}"
        case "paused" | "resumed" | "moved" as moved:
            said = f"{moved}, {before} → {due}"
        case "met":
            said = f"answered {'in time' if change.in_time else 'too late'}"
        case "cancelled":
            said = f"cancelled ({change.reason})"
        case "retracted":
            when = _due(change.said_due_at, local)
            said = f"{change.retracted} ({when}) taken back: {change.reason}"
        case "warned":
            said = f"{change.percent} % used up, {due}"
        case "broken":
            said = change.called.upper() + (", taken back later" if change.taken_back else "")
        case unknown:
            said = words(unknown)
    return said


def _mood(change: Change) -> Mood:
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


def next_up(clocks: Clocks, local: Local) -> Sequence[str]:
    """Say what comes if nobody does anything, the soonest first."""
    soon = sorted(_soon(clocks), key=lambda each: each[0])
    told = [f"{local.both(at)}: {what}" for at, what in soon]
    return [*_owed(clocks), *told] or ["Nothing: no promise is open."]


def _owed(clocks: Clocks) -> Iterator[str]:
    for clock in clocks.clocks:
        if clock.is_open and clock.broken is not None:
            yield f"The {words(clock.kind)} is still owed; answer, and it is met too late."
        elif clock.state == "paused":
            yield f"The {words(clock.kind)} stands still until the wait ends."


def _soon(clocks: Clocks) -> Iterator[tuple[datetime, str]]:
    for clock in clocks.clocks:
        if clock.state != "running" or clock.broken is not None:
            continue
        kind = words(clock.kind)
        for warning in clock.warnings:
            if warning.at is not None and not warning.announced and warning.at > clocks.now:
                yield warning.at, f"{kind} warned at {warning.point}"
        if clock.due_at is not None:
            called = "breached" if clock.promise_class == "guarantee" else "missed"
            yield clock.due_at, f"{kind} due; if unanswered, {called}"


def reckoned(clock: Clock, now: datetime, local: Local) -> Sequence[Row]:
    """List the spans that make up the due time, and the pauses among them, which count nothing."""
    pauses = clock.paused.spans if clock.paused else ()
    rows = [
        *((span.since, _counted(span, local)) for span in clock.spans),
        *(
            (pause.since, _left_out(pause, now, local))
            for pause in pauses
            if clock.due_at is None or pause.since < clock.due_at
        ),
    ]
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def concluded(clock: Clock, local: Local) -> str:
    """Say what the spans come to."""
    total_ms = sum(span.counts_ms for span in clock.spans)
    if clock.due_at is not None:
        return f"= {length(total_ms)}, so it is due {local.both(clock.due_at)}"
    left = length(clock.target_ms - total_ms)
    return f"= {length(total_ms)} used up, {left} left; nothing is due"


def _counted(span: Span, local: Local) -> Row:
    return length(span.counts_ms), *local.span(span.since, span.until), ""


def _left_out(pause: PausedSpan, now: datetime, local: Local) -> Row:
    why = _PAUSED_FOR.get(pause.cause, words(pause.cause))
    lasts = " until now" if pause.until is None else ""
    span = local.span(pause.since, pause.until or max(now, pause.since))
    return "0 min", *span, f"pause: {why}{lasts}"
