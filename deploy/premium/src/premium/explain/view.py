"""The layout of an explanation: the state of each promise, the history, how due times add up."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from premium.explain.responses import Clock, Clocks, Entry, Ticket, Timeline
from premium.explain.sentences import (
    calculation,
    described,
    happened,
    next_events,
    reader_of,
    sum_line,
    verdict,
)
from premium.timestamps import Local, duration, plain

__all__ = ["explained"]

_HEAD = "bold"
_STYLES = {"good": "green", "bad": "bold red", "missed": "blue", "warn": "yellow", "calm": ""}


def explained(clocks: Clocks, timeline: Timeline) -> RenderableType:
    """Lay out all that sla-monitor knows about a ticket."""
    ticket = clocks.ticket
    local = Local(ticket.time_zone if ticket else "UTC")
    return Group(
        *_head(clocks, ticket, local),
        *(part for clock in clocks.clocks for part in _promise(clock, local)),
        Text(f"\nWhat happened, by UTC{_and(local)}", style=_HEAD),
        *(part for entry in timeline.entries for part in _entry(entry, local)),
        Text("\nWhat is next", style=_HEAD),
        *(Text(f"  {line}") for line in next_events(clocks, local)),
        Text("\nWhy is it due then", style=_HEAD),
        *(part for clock in clocks.clocks for part in _calculation(clock, clocks.now, local)),
    )


def _head(clocks: Clocks, ticket: Ticket | None, local: Local) -> Iterator[Text]:
    if ticket is None:
        yield Text(f"Ticket {clocks.ticket_id}: its request has not come yet", style=_HEAD)
        return
    named = f"{ticket.source} {ticket.external_id}"
    about = (named, ticket.account_id, ticket.channel, plain(ticket.severity))
    yield Text(" · ".join(about), style=_HEAD)
    yield Text(f"ticket {clocks.ticket_id}, priced by policy {ticket.policy}")
    yield Text(f"created {local.both(ticket.created_at)}")
    yield Text(f"as of   {local.both(clocks.now)}")


def _promise(clock: Clock, local: Local) -> Iterator[RenderableType]:
    text, tone = verdict(clock)
    title = Text(f"\n{plain(clock.kind).capitalize()}: ", style=_HEAD)
    yield title.append(text, style=_STYLES[tone])
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(clock, local):
        table.add_row(Text(f"  {name}"), Text(value))
    yield table


def _facts(clock: Clock, local: Local) -> Iterator[tuple[str, str]]:
    yield "promised", _promised(clock)
    if clock.exception is not None:
        yield "exception", f"{clock.exception}: an objective for its time, no guarantee"
    if clock.due_at is not None:
        yield "due", local.both(clock.due_at)
    if clock.remaining is not None and clock.used_ms is not None:
        yield "used", _used(clock)
    if clock.warnings:
        yield "warnings", ", ".join(_warnings(clock, local))
    if clock.broken is not None:
        yield "event", f"{clock.broken.event_id} on breaches.v1"
    if clock.retractions:
        times = "once" if clock.retractions == 1 else f"{clock.retractions} times"
        yield "retracted", f"{times}, see what happened"
    if clock.breakdown.parts_ms:
        yield "time went", _parts(clock)


def _promised(clock: Clock) -> str:
    by = f", by rule {clock.rule!r}" if clock.rule else ""
    calendar = clock.calendar
    counted = f" of calendar {calendar.name} in {calendar.zone}" if calendar else ""
    return f"{clock.promise_class}: {duration(clock.target_ms)}{counted}{by}"


def _used(clock: Clock) -> str:
    assert clock.remaining is not None  # noqa: S101 - the caller has checked it
    left_ms = clock.remaining.business_ms
    rest = f"{duration(left_ms)} {'over' if left_ms < 0 else 'left'}"
    paused_ms = clock.paused.total_ms if clock.paused else 0
    pauses = f"; {duration(paused_ms)} of pauses not counted" if paused_ms else ""
    return f"{duration(clock.used_ms or 0)} of {duration(clock.target_ms)}, {rest}{pauses}"


def _warnings(clock: Clock, local: Local) -> Iterator[str]:
    for warning in clock.warnings:
        if warning.announced:
            yield f"{warning.point} announced"
        elif warning.at is not None and clock.state == "running" and clock.broken is None:
            yield f"{warning.point} at {local.utc(warning.at)}"
        else:
            yield f"{warning.point} not announced"


def _parts(clock: Clock) -> str:
    parts = sorted(clock.breakdown.parts_ms.items(), key=lambda part: -part[1])
    return ", ".join(f"{plain(part)} {duration(ms)}" for part, ms in parts)


def _entry(entry: Entry, local: Local) -> Iterator[Text]:
    reader = reader_of(local)
    beside = "" if local.is_utc else f"  {local.local(entry.at)}"
    when = f"  {local.utc(entry.at)}{beside}  "
    changes = [described(change, reader) for change in entry.changes]
    if entry.entry == "time":
        for text, tone in changes:
            yield Text(when).append(text, style=_STYLES[tone])
    else:
        until = f", until {local.utc(entry.until)}" if entry.until else ""
        yield Text(f"{when}{happened(entry, reader)}{until} (from {entry.source})")
        for text, tone in changes:
            yield Text(f"      {text}", style=_STYLES[tone])
    if entry.late:
        yield Text(f"      late: known only since {local.utc(entry.learned_at)}", style="yellow")
    if entry.why:
        yield Text(f"      {entry.why}", style="dim")


def _calculation(clock: Clock, now: datetime, local: Local) -> Iterator[RenderableType]:
    yield Text(f"  {plain(clock.kind).capitalize()}, by UTC{_and(local)}:")
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for counts, *span in calculation(clock, now, local):
        table.add_row(Text(f"    {counts}"), *map(Text, span))
    yield Text(f"    from {local.both(clock.started_at)}")
    yield table
    yield Text(f"    {sum_line(clock, local)}")


def _and(local: Local) -> str:
    return "" if local.is_utc else f" and by the clock of {local.zone}"
