"""Where a ticket's time went: parts that add up to the whole, exactly."""

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
from sla_monitor.domain.ticket_facts import Story

__all__ = ["breakdown", "phases_of"]

_MILLISECOND = timedelta(milliseconds=1)
_GIVEN = (TicketOffered, OfferAccepted, TicketAssigned)
"""Of what router says at one instant, these come last: first it is taken from somebody."""

_HAND_AFTER: Final[dict[type[Event], Part]] = {
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
    story: Story, since: datetime, until: datetime | None, pauses: Sequence[Pause]
) -> tuple[Phase, ...]:
    """Say in which hands the time was from ``since`` on, and when it did not count."""
    changes = sorted(
        [*_hands(story), *_pausing(pauses)], key=lambda change: (change[0], change[1] is None)
    )
    hand: Part = "intake"
    paused = False
    phases: list[Phase] = [(hand, 0)]
    for at, part in changes:
        if until is not None and at >= until:
            break
        match part:
            case None:
                paused = not paused
            case _:
                hand = part
        now: Part = "paused" if paused else hand
        if at <= since:
            phases = [(now, 0)]
        elif phases[-1][0] != now:
            _add(phases, now, _ms(since, at))
    return tuple(phases)


def breakdown(clock: Clock, at: datetime) -> Breakdown:
    """Add up the parts from the clock's start to ``at``.

    Phases begin at whole milliseconds from the start, so nothing is lost to rounding.
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
    """Begin a phase; one that lasted no time is forgotten."""
    if phases[-1][1] == at_ms:
        phases.pop()
    if not phases or phases[-1][0] != part:
        phases.append((part, at_ms))


def _pausing(pauses: Iterable[Pause]) -> Iterator[tuple[datetime, None]]:
    """Each end of a pause turns the counting on or off."""
    for pause in pauses:
        yield pause.since, None
        if pause.until is not None:
            yield pause.until, None


def _hands(story: Story) -> Iterator[tuple[datetime, Part]]:
    accepted_at = story.accepted.accepted_at
    hand: Part = "routing"
    yield accepted_at or story.opened.time, hand
    in_order = sorted(story.facts, key=lambda f: (f.time, isinstance(f.event, _GIVEN)))
    for fact in in_order:
        taken = _hand_after(hand, fact.event)
        if taken != hand:
            hand = taken
            yield fact.time, hand


def _hand_after(hand: Part, event: Event) -> Part:
    match event:
        case TicketQueued(reason=reason):
            return reason
        case TicketAssigned(offer_id=offer_id):
            return "notifier" if offer_id is None else "assigned"  # who accepted it knows
        case NotificationSent(alert="assignment" | "callback") if hand == "notifier":
            return "assigned"
        case OfferWithdrawn(cause="responded" | "reached" | "resolved" | "closed"):
            return "unassigned"
        case _:
            return _HAND_AFTER.get(type(event), hand)
