"""A ticket explained for tired eyes: the verdict first, then the story, then why it is due then."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from premium.explain.answers import Clock, Clocks, Entry, Ticket, Timeline
from premium.explain.sentences import changed, concluded, next_up, reckoned, verdict
from premium.moments import Local, length, words

__all__ = ["explained"]

_HEAD = "bold"
_STYLES = {"good": "green", "bad": "bold red", "missed": "blue", "warn": "yellow", "calm": ""}


def explained(clocks: Clocks, timeline: Timeline) -> RenderableType:
    """Lay out all that is known of a ticket."""
    ticket = clocks.ticket
    local = Local(ticket.time_zone if ticket else "UTC")
    return Group(
        *_head(clocks, ticket, local),
        *(part for clock in clocks.clocks for part in _promise(clock, local)),
        Text(f"\nWhat happened, by UTC{_and(local)}", style=_HEAD),
        *(part for entry in timeline.entries for part in _told(entry, local)),
        Text("\nWhat is next", style=_HEAD),
        *(Text(f"  {line}") for line in next_up(clocks, local)),
        Text("\nWhy is it due then", style=_HEAD),
        *(part for clock in clocks.clocks for part in _reckoning(clock, clocks.now, local)),
    )


def _head(clocks: Clocks, ticket: Ticket | None, local: Local) -> Iterator[Text]:
    if ticket is None:
        yield Text(f"Ticket {clocks.ticket_id}: its request has not come yet", style=_HEAD)
        return
    named = f"{ticket.source} {ticket.external_id}"
    about = (named, ticket.account_id, ticket.channel, words(ticket.severity))
    yield Text(" · ".join(about), style=_HEAD)
    yield Text(f"ticket {clocks.ticket_id}, priced by policy {ticket.policy}")
    yield Text(f"created {local.both(ticket.created_at)}")
    yield Text(f"as of   {local.both(clocks.now)}")


def _promise(clock: Clock, local: Local) -> Iterator[RenderableType]:
    said, mood = verdict(clock)
    title = Text(f"\n{words(clock.kind).capitalize()}: ", style=_HEAD)
    yield title.append(said, style=_STYLES[mood])
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
        yield "taken back", f"{times}, see what happened"
    if clock.breakdown.parts_ms:
        yield "time went", _parts(clock)


def _promised(clock: Clock) -> str:
    by = f", by rule {clock.rule!r}" if clock.rule else ""
    calendar = clock.calendar
    counted = f" of calendar {calendar.name} in {calendar.zone}" if calendar else ""
    return f"{clock.promise_class}: {length(clock.target_ms)}{counted}{by}"


def _used(clock: Clock) -> str:
    assert clock.remaining is not None  # noqa: S101 - asked for only where it is
    left_ms = clock.remaining.business_ms
    rest = f"{length(left_ms)} {'over' if left_ms < 0 else 'left'}"
    paused_ms = clock.paused.total_ms if clock.paused else 0
    pauses = f"; {length(paused_ms)} of pauses not counted" if paused_ms else ""
    return f"{length(clock.used_ms or 0)} of {length(clock.target_ms)}, {rest}{pauses}"


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
    return ", ".join(f"{words(part)} {length(ms)}" for part, ms in parts)


def _told(entry: Entry, local: Local) -> Iterator[Text]:
    beside = "" if local.is_utc else f"  {local.beside(entry.at)}"
    told_by = f", told by {entry.source}" if entry.source else ""
    often = f", {entry.times} times until {local.utc(entry.until)}" if entry.until else ""
    yield Text(f"  {local.utc(entry.at)}{beside}  {_what(entry)}{often}{told_by}")
    for change in entry.changes:
        said, mood = changed(change, local)
        yield Text(f"      {said}", style=_STYLES[mood])
    if entry.late:
        yield Text(f"      late: known only since {local.utc(entry.learned_at)}", style="yellow")
    if entry.why:
        yield Text(f"      {entry.why}", style="dim")


def _what(entry: Entry) -> str:
    if entry.entry == "time":
        return "time passed"
    return words(entry.type.removeprefix("premium.").rpartition(".")[0].replace(".", " "))


def _reckoning(clock: Clock, now: datetime, local: Local) -> Iterator[RenderableType]:
    yield Text(f"  {words(clock.kind).capitalize()}, by UTC{_and(local)}:")
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for counts, *span in reckoned(clock, now, local):
        table.add_row(Text(f"    {counts}"), *map(Text, span))
    yield Text(f"    from {local.both(clock.started_at)}")
    yield table
    yield Text(f"    {concluded(clock, local)}")


def _and(local: Local) -> str:
    return "" if local.is_utc else f" and by the clock of {local.zone}"
