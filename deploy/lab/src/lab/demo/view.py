"""The demo's screen: waiting tickets, specialists, next due times, broken promises.

Colours mark problems only: amber a warning, red a broken guarantee, blue a missed objective; each
has a mark or a text as well.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.table import Table
from rich.text import Text

from lab.demo.state import DemoState, NewsItem, Specialist, Ticket
from shared.events import (
    ClockWarned,
    NotificationFailed,
    NotificationSent,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    TicketAccepted,
    TicketDeclined,
)

__all__ = ["DemoStatus", "draw", "summary_line"]

_LANGUAGES: Final = ("en", "de", "es", "fr", "ja")
_CHANNELS: Final = ("email", "phone", "chat")
_QUIET_S: Final = 3.0
_LEFT: Final[tuple[tuple[str, timedelta], ...]] = (
    ("past due", timedelta()),
    ("< 5 min", timedelta(minutes=5)),
    ("< 15 min", timedelta(minutes=15)),
    ("< 30 min", timedelta(minutes=30)),
    ("< 1 h", timedelta(hours=1)),
    ("< 8 h", timedelta(hours=8)),
    ("more", timedelta.max),
)
_PAUSED: Final = "paused"
_NEWS_STYLES: Final = {
    "breached": ("✖", "bold red"),
    "missed": ("◇", "blue"),
    "warned": ("▲", "yellow"),
    "failed": ("✖", "red"),
    "retracted": ("↩", ""),
}
_TOP_LINES: Final = 16
_PEOPLE_COLUMNS: Final = 38


@dataclass(frozen=True, slots=True)
class DemoStatus:
    """The state of time and of the services at one moment.

    ``silent_s`` is the age of the last event, ``behind`` the number of unread records by service.
    """

    business: datetime
    phase: str
    speed: float
    day_part: float
    events_per_s: float
    silent_s: float
    behind: Mapping[str, int] = field(default_factory=dict)


def draw(
    state: DemoState, status: DemoStatus, links: Sequence[str], *, width: int
) -> RenderableType:
    """Lay out the screen, the ``links`` into the inbox last; 80 x 24 is the smallest size."""
    layout = Layout()
    layout.split_column(
        Layout(_header(status, width), size=2),
        Layout(name="top", size=_TOP_LINES),
        Layout(_totals(state, status), size=3),
        Layout(_news(state.news), name="news"),
        *([Layout(Text("\n".join(("inbox", *links)), overflow="fold"), size=5)] if links else []),
    )
    layout["top"].split_row(
        Layout(Group(_queue(state, status), Text(), _clocks(state, status, width - 56))),
        Layout(_people(state.specialists.values()), size=_PEOPLE_COLUMNS),
    )
    return layout


def summary_line(state: DemoState, status: DemoStatus) -> str:
    """Return the most important figures as one line, for a pipe."""
    waiting = sum(1 for _ in state.waiting())
    broken = Counter(ticket.broken for ticket in state.tickets.values())
    return (
        f"{status.business:%a %H:%M}  accepted {state.counts[TicketAccepted]:,}, waiting {waiting},"
        f" warned {state.counts[ClockWarned]:,}, breached {broken[PromiseBreached]},"
        f" missed {broken[PromiseMissed]}, mails {state.counts[NotificationSent]:,},"
        f" {status.events_per_s:,.0f} events/s"
    )


def _header(status: DemoStatus, width: int) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    clock = Text.assemble(
        ("Premium demo  ", "bold"),
        f"{status.business:%a %-d %b}  ",
        (f"{status.business:%H:%M}", "bold"),
        " UTC",
    )
    fresh = status.silent_s < _QUIET_S
    state = (
        Text("live", "dim") if fresh else Text(f"▲ no event for {status.silent_s:.0f} s", "yellow")
    )
    line.add_row(clock, Text.assemble((f"{status.phase}, x {status.speed:,.0f}   ", "dim"), state))
    gone = round(width * min(status.day_part, 1))
    return Group(line, Text.assemble("━" * gone, ("━" * (width - gone), "bright_black")))


def _title(text: str) -> Text:
    return Text(text, "bold")


def _queue(state: DemoState, status: DemoStatus) -> RenderableType:
    waiting = list(state.waiting())
    table = Table.grid(padding=(0, 1))
    table.add_column(width=8)
    for _ in _LANGUAGES:
        table.add_column(justify="right", width=3)
    table.add_column(justify="right", width=9)
    table.add_row(
        _title("Waiting"), *(Text(name, "dim") for name in _LANGUAGES), Text("oldest", "dim")
    )
    for channel in _CHANNELS:
        here = [t for t in waiting if t.accepted and t.accepted.channel == channel]
        counts = Counter(t.accepted.language for t in here if t.accepted)
        table.add_row(
            channel, *(_count(counts[name]) for name in _LANGUAGES), _oldest(here, status.business)
        )
    return table


def _oldest(tickets: Iterable[Ticket], now: datetime) -> Text:
    ages = [now - ticket.created_at for ticket in tickets if ticket.created_at]
    return Text(_span(max(ages)) if ages else "·", "" if ages else "dim")


def _span(span: timedelta) -> str:
    minutes = max(span, timedelta()) // timedelta(minutes=1)
    if minutes < 60:  # noqa: PLR2004 - of an hour
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d}"


def _clocks(state: DemoState, status: DemoStatus, room: int) -> RenderableType:
    found: dict[str, Counter[str]] = {name: Counter() for name, _ in _LEFT}
    found[_PAUSED] = Counter()
    for ticket in state.timed():
        found[_left(ticket, status.business)][_state(ticket)] += 1
    most = max(room, *(bucket.total() for bucket in found.values()))
    table = Table.grid(padding=(0, 1))
    table.add_column(width=8)
    table.add_column(justify="right", width=4)
    table.add_column(no_wrap=True)
    table.add_row(_title("Promises"), "", Text("open, by time left", "dim"))
    for name, bucket in found.items():
        table.add_row(name, _count(bucket.total()), _bars(bucket, room / most))
    return table


def _left(ticket: Ticket, now: datetime) -> str:
    if ticket.due_at is None:
        return _PAUSED
    left = ticket.due_at - now
    return next(name for name, limit in _LEFT if left <= limit)


def _state(ticket: Ticket) -> str:
    if ticket.broken is not None:
        return "red" if ticket.broken is PromiseBreached else "blue"
    return "yellow" if ticket.warned else "default"


def _bars(bucket: Counter[str], scale: float) -> Text:
    bars = Text()
    for style, mark in (("red", "✖"), ("blue", "◇"), ("yellow", "▲"), ("default", "■")):
        bars.append(mark * round(bucket[style] * scale), style)
    return bars


def _people(specialists: Iterable[Specialist]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=14, no_wrap=True)
    table.add_column(width=7, no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row(_title("Specialists"), "", Text("hold, of room", "dim"))
    for specialist in specialists:
        held = len(specialist.holds)
        room = Text.assemble("■" * held, ("·" * (specialist.room - held), "dim"))
        style = "" if specialist.presence == "online" else "dim"
        presence = "" if specialist.presence == "online" else specialist.presence
        table.add_row(Text(specialist.name, style), Text(presence, style), room)
    return table


def _totals(state: DemoState, status: DemoStatus) -> RenderableType:
    counts, broken = state.counts, Counter(t.broken for t in state.tickets.values())
    return Text("\n").join(
        (
            _facts(
                ("accepted", counts[TicketAccepted], ""),
                ("kept", sum(t.kept for t in state.tickets.values()), ""),
                ("▲ warned", counts[ClockWarned], "yellow"),
                ("✖ breached", broken[PromiseBreached], "bold red"),
                ("◇ missed", broken[PromiseMissed], "blue"),
                ("↩ retracted", counts[PromiseRetracted], ""),
            ),
            _facts(
                ("handed back", counts[TicketDeclined], ""),
                ("refused", state.refused, ""),
                ("mails sent", counts[NotificationSent], ""),
                ("✖ failed", counts[NotificationFailed], "red"),
                ("events/s", round(status.events_per_s), ""),
            ),
            _facts(*((f"{name} behind", number, "") for name, number in status.behind.items())),
        )
    )


def _facts(*facts: tuple[str, int, str]) -> Text:
    line = Text()
    for name, number, style in facts:
        line.append(f"{name} ", style if number else "dim")
        line.append(f"{number:,}   ", style if number else "dim")
    return line


def _count(number: int) -> Text:
    return Text(f"{number:,}" if number else "·", "" if number else "dim")


def _news(news: Iterable[NewsItem]) -> RenderableType:
    """List the newest first, so that the oldest are cut off."""
    lines = []
    for item in reversed(list(news)):
        mark, style = _NEWS_STYLES.get(item.kind, ("·", "dim"))
        line = Text(f"{item.at:%H:%M} ", "dim", no_wrap=True, overflow="ellipsis")
        lines.append(line.append(f"{mark} {item.kind:<9} ", style).append(item.text, "not dim"))
    return Group(*lines)
