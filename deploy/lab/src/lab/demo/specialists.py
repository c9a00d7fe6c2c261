"""How the simulated specialists behave: pure decisions, the same for the same ticket.

A specialist needs longer the more they hold, and longer in some languages; now and then one
hands a ticket back or goes for lunch. The story of a request bends what its specialist does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final, Literal, assert_never

from lab.demo.day import Story
from lab.demo.script import dice
from shared.events import Presence, SpecialistListed, TicketAssigned
from shared.sla.promises import Channel, Severity

__all__ = [
    "Act",
    "Break",
    "Deed",
    "Pick",
    "Work",
    "answer_to",
    "breaks",
    "bye_after",
    "pick_up",
    "work_on",
]

type Deed = Literal[
    "decline", "responded", "customer_reached", "waiting", "resumed", "reclassified", "closed"
]

type Pick = Literal["accept", "decline"]
"""What somebody does about a ticket that rings at them."""

_MEDIAN_S: Final[dict[Channel, float]] = {"email": 7 * 60, "phone": 50, "chat": 8}
"""How long a specialist with nothing else to do takes to answer."""
_SPREAD: Final = 0.45
_MANNERS: Final = {"ja": 1.3, "de": 1.1, "fr": 1.1}
"""Some languages take longer to answer well in."""
_PER_TICKET_HELD: Final = 0.05
_DECLINE_SHARE: Final = 0.03
_BREAK_HOURS: Final = (7, 19)
_COMES_IN: Final = time(9)


@dataclass(frozen=True, slots=True)
class Work:
    """A ticket that somebody was just given, the ``turn``-th time, while they ``held`` others."""

    ticket: TicketAssigned
    story: Story
    assigned_at: datetime
    held: int = 0
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """What a specialist does at ``at``. The system hears of it at ``told_at``, mostly at once."""

    deed: Deed
    at: datetime
    told_at: datetime
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """A specialist's presence changes."""

    specialist_id: str
    at: datetime
    presence: Presence


def work_on(work: Work, rng: Random) -> list[Act]:
    """Decide all that a specialist does about a ticket they were just given."""
    answer_after = _answer_after(work, rng)
    rang = work.ticket.offer_id is not None
    is_new = work.turn == 0 and work.story != "withdrawn" and not rang
    if is_new and rng.random() < _DECLINE_SHARE:
        return [_act("decline", work.assigned_at + answer_after / 4)]
    return _follow(work, work.assigned_at + answer_after, rng)


def pick_up(rng: Random) -> Pick:
    """Decide about a ticket that rings: nearly everybody takes it."""
    return "decline" if rng.random() < _DECLINE_SHARE else "accept"


def bye_after(joined_at: datetime, rng: Random) -> datetime:
    """Say when a customer closes their chat."""
    return joined_at + timedelta(minutes=rng.randint(3, 8))


def answer_to(replied_at: datetime, rng: Random) -> datetime:
    """Decide when to answer a reply of the customer that crossed an earlier answer."""
    return replied_at + timedelta(minutes=rng.randint(1, 8))


def breaks(roster: Iterable[SpecialistListed], on: date, seed: int) -> list[Break]:
    """Plan who is away when on ``on``: everybody eats, and who is away at first comes in."""
    plan = []
    for specialist in roster:
        rng = dice(seed, on, specialist.specialist_id)
        if specialist.presence != "online":
            comes = datetime.combine(on, _COMES_IN, UTC)
            plan.append(Break(specialist.specialist_id, comes, "online"))
            continue
        leaves = datetime.combine(on, time(), UTC) + timedelta(
            minutes=rng.randrange(_BREAK_HOURS[0] * 60, _BREAK_HOURS[1] * 60)
        )
        back = leaves + timedelta(minutes=rng.randint(30, 60))
        plan.append(Break(specialist.specialist_id, leaves, "away"))
        plan.append(Break(specialist.specialist_id, back, "online"))
    return sorted(plan, key=lambda change: change.at)


def _answer_after(work: Work, rng: Random) -> timedelta:
    pace = _MANNERS.get(work.ticket.language, 1.0) * (1 + _PER_TICKET_HELD * work.held)
    work_s = _MEDIAN_S[work.ticket.channel] * rng.lognormvariate(0, _SPREAD)
    return timedelta(seconds=round(work_s * pace))


def _act(
    deed: Deed, at: datetime, *, told_at: datetime | None = None, severity: Severity | None = None
) -> Act:
    return Act(deed, at, told_at or at, severity)


def _follow(work: Work, answers: datetime, rng: Random) -> list[Act]:
    ticket, begins = work.ticket, work.assigned_at
    minutes = timedelta(minutes=rng.randint(3, 15))
    due_at = ticket.due_at or answers
    match work.story:
        case "plain" | "answered_elsewhere":
            return _answer(ticket.channel, answers, rng)
        case "slow":
            return _answer(ticket.channel, max(answers, due_at + minutes), rng)
        case "told_late":
            told_at = max(answers, due_at + minutes)
            return [_act("responded", min(answers, begins + minutes), told_at=told_at)]
        case "waits":
            asked = begins + minutes / 3
            replied = asked + minutes
            return [
                _act("waiting", asked),
                _act("resumed", replied),
                _act("responded", replied + minutes / 2),
            ]
        case "overclaimed":
            found = begins + minutes / 5
            answered = max(answers, found + minutes)
            return [_act("reclassified", found, severity="standard"), _act("responded", answered)]
        case "withdrawn":
            return []
        case _:
            assert_never(work.story)


def _answer(channel: Channel, at: datetime, rng: Random) -> list[Act]:
    match channel:
        case "email":
            return [_act("responded", at)]
        case "phone":
            return [_act("customer_reached", at)]
        case "chat":
            return [_act("responded", at), _act("closed", bye_after(at, rng))]
        case _:
            assert_never(channel)
