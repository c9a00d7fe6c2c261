"""Promises and their clocks, in sentences. Each function takes the values that its sentence shows.

sla-monitor's timeline has the same values without an event: it shows what each fact changed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from shared.events import (
    Cancellation,
    ClockCancelled,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    Retraction,
)
from shared.sla.promises import PromiseKind
from shared.wording.reader import Message, Reader
from shared.wording.table import Sentences

__all__ = [
    "SENTENCES",
    "broken",
    "cancelled",
    "met",
    "moved",
    "paused",
    "promise_name",
    "repriced",
    "resumed",
    "retracted",
    "started",
    "warned",
]

_NAMES: Final[Mapping[PromiseKind, Message]] = {
    "first_response": Message("First response"),
    "next_response": Message("Next response"),
    "resolution": Message("Resolution"),
    "callback": Message("Callback"),
    "join": Message("Chat joined"),
}
_CANCELLED: Final[Mapping[Cancellation, Message]] = {
    "closed": Message("{promise}: no longer owed, the ticket was closed"),
    "merged": Message("{promise}: no longer owed, the ticket was merged"),
    "erased": Message("{promise}: no longer owed, the ticket was erased"),
    "withdrawn": Message("{promise}: taken back, it was never owed"),
}
_BROKEN: Final[Mapping[str, Message]] = {
    "breached": Message("{promise}: guarantee broken, overdue since {due}"),
    "missed": Message("{promise}: goal missed, late since {due}"),
}
_RETRACTED: Final[Mapping[Retraction | None, Message]] = {
    "answered": Message("{promise}: all clear, it was met in time"),
    "moved": Message("{promise}: all clear, it was due later"),
    "paused": Message("{promise}: all clear, nothing was due during the wait"),
    "cancelled": Message("{promise}: all clear, it was no longer owed"),
    "exception": Message("{promise}: no guarantee was broken, a declared exception made it a goal"),
    None: Message("{promise}: all clear"),
}


def promise_name(kind: PromiseKind, reader: Reader) -> str:
    """Return the name of a kind of promise, which begins each sentence about it."""
    return reader.text(_NAMES[kind])


def _text(reader: Reader, message: Message, kind: PromiseKind, **values: object) -> str:
    return reader.text(message, promise=promise_name(kind, reader), **values)


def started(kind: PromiseKind, due_at: datetime | None, reader: Reader) -> str:
    """Return the sentence for a clock that started; ``due_at`` None means that it is paused."""
    if due_at is None:
        message = Message("{promise}: promised, nothing is due while the ticket waits")
        return _text(reader, message, kind)
    return _text(reader, Message("{promise}: due {due}"), kind, due=reader.moment(due_at))


def paused(kind: PromiseKind, reader: Reader) -> str:
    """Return the sentence for a clock that is paused."""
    return _text(reader, Message("{promise}: paused, nothing is due"), kind)


def resumed(kind: PromiseKind, due_at: datetime, reader: Reader) -> str:
    """Return the sentence for a clock that runs again."""
    message = Message("{promise}: running again, due {due}")
    return _text(reader, message, kind, due=reader.moment(due_at))


def moved(kind: PromiseKind, due_at: datetime | None, reader: Reader) -> str:
    """Return the sentence for a due time that moved."""
    if due_at is None:
        return _text(reader, Message("{promise}: nothing is due now"), kind)
    return _text(reader, Message("{promise}: now due {due}"), kind, due=reader.moment(due_at))


def repriced(kind: PromiseKind, target_s: float, due_at: datetime | None, reader: Reader) -> str:
    """Return the sentence for a clock with another target."""
    target = reader.duration(target_s)
    if due_at is None:
        message = Message("{promise}: now within {target}, nothing is due")
        return _text(reader, message, kind, target=target)
    message = Message("{promise}: now within {target}, due {due}")
    return _text(reader, message, kind, target=target, due=reader.moment(due_at))


def warned(kind: PromiseKind, percent: int, due_at: datetime, reader: Reader) -> str:
    """Return the sentence for a warning."""
    message = Message("{promise}: {percent} % of the time is used, due {due}")
    return _text(reader, message, kind, percent=percent, due=reader.moment(due_at))


def met(kind: PromiseKind, reader: Reader, *, in_time: bool) -> str:
    """Return the sentence for a promise that was met."""
    if in_time:
        return _text(reader, Message("{promise}: met in time"), kind)
    return _text(reader, Message("{promise}: met too late"), kind)


def cancelled(kind: PromiseKind, reason: Cancellation, reader: Reader) -> str:
    """Return the sentence for a clock that was cancelled."""
    return _text(reader, _CANCELLED[reason], kind)


def broken(
    kind: PromiseKind, called: Literal["breached", "missed"], due_at: datetime, reader: Reader
) -> str:
    """Return the sentence for a breach or a miss."""
    return _text(reader, _BROKEN[called], kind, due=reader.moment(due_at))


def retracted(kind: PromiseKind, reason: Retraction | None, reader: Reader) -> str:
    """Return the sentence for a breach or miss that was retracted."""
    return _text(reader, _RETRACTED[reason], kind)


SENTENCES: Final[Sentences] = {
    ClockStarted: lambda e, reader: started(e.kind, e.due_at, reader),
    ClockPaused: lambda e, reader: paused(e.kind, reader),
    ClockResumed: lambda e, reader: resumed(e.kind, e.due_at, reader),
    ClockRepriced: lambda e, reader: repriced(e.kind, e.target_s, e.due_at, reader),
    ClockWarned: lambda e, reader: warned(e.kind, e.percent, e.due_at, reader),
    ClockMet: lambda e, reader: met(e.kind, reader, in_time=e.in_time),
    ClockCancelled: lambda e, reader: cancelled(e.kind, e.reason, reader),
    PromiseBreached: lambda e, reader: broken(e.kind, "breached", e.due_at, reader),
    PromiseMissed: lambda e, reader: broken(e.kind, "missed", e.due_at, reader),
    PromiseRetracted: lambda e, reader: retracted(e.kind, e.reason, reader),
}
