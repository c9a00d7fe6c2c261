"""The breakdown of a ticket's time into parts that sum exactly to the total."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    Breakdown,
    Event,
    NotificationSent,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Part,
    TicketAssigned,
    TicketDeclined,
    TicketOffered,
    TicketQueued,
)
from shared.sla.promises import Pause
from sla_monitor.domain.clock import Clock, Phase
from sla_monitor.domain.ticket_facts import TicketFacts

__all__ = ["breakdown", "phases_of"]

_MILLISECOND = timedelta(milliseconds=1)
_ASSIGNING = (TicketOffered, OfferAccepted, TicketAssigned)
"""Sorted after other events of one instant: router releases a ticket before it assigns it again."""

_PART_AFTER: Final[dict[type[Event], Part]] = {
    TicketOffered: "offered",
    OfferAccepted: "assigned",
    OfferDeclined: "routing",
    OfferExpired: "routing",
    OfferWithdrawn: "routing",
    TicketDeclined: "routing",
    AssignmentHandedBack: "routing",
    AssignmentReleased: "unassigned",
}


def phases_of(
    ticket: TicketFacts, since: datetime, until: datetime | None, pauses: Sequence[Pause]
) -> tuple[Phase, ...]:
    """Return the phases from ``since`` to ``until``: each part, and when it begins."""
    changes = sorted(
        [*_part_changes(ticket), *_pausing(pauses)],
        key=lambda change: (change[0], change[1] is None),
    )
    current: Part = "intake"
    paused = False
    phases: list[Phase] = [(current, 0)]
    for at, part in changes:
        if until is not None and at >= until:
            break
        match part:
            case None:
                paused = not paused
            case _:
                current = part
        now: Part = "paused" if paused else current
        if at <= since:
            phases = [(now, 0)]
        elif phases[-1][0] != now:
            _add(phases, now, _ms(since, at))
    return tuple(phases)


def breakdown(clock: Clock, at: datetime) -> Breakdown:
    """Sum up the time of each part from the clock's start to ``at``.

    Phases begin at whole milliseconds after the start, so the sum has no rounding error.
    """
    total_ms = max(0, _ms(clock.started_at, at))
    parts_ms: dict[Part, int] = {}
    until_ms = total_ms
    for part, since_ms in reversed(clock.phases):
        if since_ms < until_ms:
            parts_ms[part] = parts_ms.get(part, 0) + until_ms - since_ms
            until_ms = since_ms
    return Breakdown.model_validate({"total_ms": total_ms, "parts_ms": parts_ms})


def _ms(start: datetime, end: datetime) -> int:
    return (end - start) // _MILLISECOND


def _add(phases: list[Phase], part: Part, at_ms: int) -> None:
    """Begin a phase, unless its part goes on; drop the phase before it if that lasted no time."""
    if phases[-1][1] == at_ms:
        phases.pop()
    if not phases or phases[-1][0] != part:
        phases.append((part, at_ms))


def _pausing(pauses: Iterable[Pause]) -> Iterator[tuple[datetime, None]]:
    """Yield the start and the end of each pause; each of them switches the pausing on or off."""
    for pause in pauses:
        yield pause.since, None
        if pause.until is not None:
            yield pause.until, None


def _part_changes(ticket: TicketFacts) -> Iterator[tuple[datetime, Part]]:
    accepted_at = ticket.accepted.accepted_at
    part: Part = "routing"
    yield accepted_at or ticket.opened.time, part
    in_order = sorted(ticket.facts, key=lambda f: (f.time, isinstance(f.event, _ASSIGNING)))
    for fact in in_order:
        after = _part_after(part, fact.event)
        if after != part:
            part = after
            yield fact.time, part


def _part_after(part: Part, event: Event) -> Part:
    match event:
        case TicketQueued(reason=reason):
            return reason
        case TicketAssigned(offer_id=offer_id):
            return "notifier" if offer_id is None else "assigned"  # accepted: no mail needed
        case NotificationSent(alert="assignment" | "callback") if part == "notifier":
            return "assigned"
        case OfferWithdrawn(cause="responded" | "reached" | "resolved" | "closed"):
            return "unassigned"
        case _:
            return _PART_AFTER.get(type(event), part)
