"""The texts of an explanation: what happened, the state of a promise, how its due time adds up."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, cast

from premium.explain.responses import Change, Clock, Clocks, Entry, PausedSpan, Span
from premium.timestamps import Local, duration, plain
from shared.events import CATALOGUE, Cancellation, Retraction
from shared.wording import Reader, clocks, sentence
from shared.wording.assignments import unanswered_offers

__all__ = [
    "Row",
    "Tone",
    "calculation",
    "described",
    "happened",
    "next_events",
    "reader_of",
    "sum_line",
    "verdict",
]

type Row = tuple[str, str, str, str]
"""How much a span counts, the span in UTC and in local time, and a remark."""
type Tone = Literal["good", "bad", "missed", "warn", "calm"]

_SECOND_MS: Final = 1000
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


def reader_of(local: Local) -> Reader:
    """Make the reader of an explanation: instants in UTC, specialists by id."""
    return Reader(duration=lambda seconds: duration(round(seconds * _SECOND_MS)), moment=local.utc)


def happened(entry: Entry, reader: Reader) -> str:
    """Describe a fact by the sentence that the inbox shows; an unknown one by its type."""
    if entry.unanswered:
        return unanswered_offers(entry.unanswered, reader)
    event_type = CATALOGUE.get(entry.type)
    if event_type is None:
        return entry.type
    return sentence(event_type.model_validate(entry.event), reader)


def described(change: Change, reader: Reader) -> tuple[str, Tone]:
    """Describe a change of a clock by the sentence that the inbox shows, with more figures."""
    more = _figures(change, reader)
    text = _changed(change, reader)
    return f"{text} ({more})" if more else text, _tone(change)


def _changed(change: Change, reader: Reader) -> str:
    kind, due_at = change.kind, change.due_at
    match change.change:
        case "started":
            text = clocks.started(kind, due_at, reader)
        case "repriced":
            text = clocks.repriced(kind, change.target_ms / _SECOND_MS, due_at, reader)
        case "paused":
            text = clocks.paused(kind, reader)
        case "met":
            text = clocks.met(kind, reader, in_time=change.in_time)
        case "cancelled":
            text = clocks.cancelled(kind, cast("Cancellation", change.reason), reader)
        case "retracted":
            text = clocks.retracted(kind, cast("Retraction | None", change.reason), reader)
        case "resumed" if due_at is not None:
            text = clocks.resumed(kind, due_at, reader)
        case "warned" if due_at is not None:
            text = clocks.warned(kind, change.percent, due_at, reader)
        case "broken" if due_at is not None:
            text = clocks.broken(kind, change.called, due_at, reader)
        case _:
            text = clocks.moved(kind, due_at, reader)
    return text


def _figures(change: Change, reader: Reader) -> str:
    """Return what an explanation adds to the sentence about a change."""
    due_before, said = change.due_before, change.said_due_at
    before = "nothing due" if due_before is None else f"due {reader.moment(due_before)}"
    match change.change:
        case "started":
            return f"{duration(change.target_ms)} promised"
        case "repriced":
            return f"before: {duration(change.target_before_ms)}, {before}"
        case "paused" | "resumed" | "moved":
            return f"before: {before}"
        case "retracted" if said is not None:
            return f"{change.retracted}, due {reader.moment(said)}"
        case "broken" if change.taken_back:
            return "retracted later"
        case _:
            return ""


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
