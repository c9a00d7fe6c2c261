"""The behaviour of the simulated specialists: pure, and the same for the same ticket.

A specialist needs longer the more tickets they hold, and longer in some languages; now and then one
declines a ticket or takes a break. The scenario of a request changes what its specialist does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final, Literal, assert_never

from lab.demo.content import seeded_random
from lab.demo.day import Scenario
from shared.events import Presence, SpecialistListed, TicketAssigned
from shared.sla.promises import Channel, Severity

__all__ = [
    "ActionKind",
    "AssignedWork",
    "OfferAnswer",
    "PlannedAction",
    "PresenceChange",
    "answer_offer",
    "answer_to",
    "chat_closed_at",
    "presence_changes",
    "work_on",
]

type ActionKind = Literal[
    "decline", "responded", "customer_reached", "waiting", "resumed", "reclassified", "closed"
]

type OfferAnswer = Literal["accept", "decline"]
"""The answer to an offer."""

_MEDIAN_S: Final[dict[Channel, float]] = {"email": 7 * 60, "phone": 50, "chat": 8}
"""The median time to answer for a specialist without other tickets."""
_SPREAD: Final = 0.45
_LANGUAGE_FACTOR: Final = {"ja": 1.3, "de": 1.1, "fr": 1.1}
"""Some languages take longer."""
_PER_TICKET_HELD: Final = 0.05
_DECLINE_SHARE: Final = 0.03
_BREAK_HOURS: Final = (7, 19)
_ARRIVES_AT: Final = time(9)


@dataclass(frozen=True, slots=True)
class AssignedWork:
    """A ticket's assignment number ``turn``, from 0; its specialist has ``held`` other tickets."""

    ticket: TicketAssigned
    scenario: Scenario
    assigned_at: datetime
    held: int = 0
    turn: int = 0


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """An action of a specialist at ``at``; the system learns of it at ``reported_at``."""

    kind: ActionKind
    at: datetime
    reported_at: datetime
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """A change of a specialist's presence."""

    specialist_id: str
    at: datetime
    presence: Presence


def work_on(work: AssignedWork, rng: Random) -> list[PlannedAction]:
    """Decide all actions of a specialist on a newly assigned ticket."""
    answer_after = _answer_after(work, rng)
    rang = work.ticket.offer_id is not None
    is_new = work.turn == 0 and work.scenario != "withdrawn" and not rang
    if is_new and rng.random() < _DECLINE_SHARE:
        return [_action("decline", work.assigned_at + answer_after / 4)]
    return _actions_for(work, work.assigned_at + answer_after, rng)


def answer_offer(rng: Random) -> OfferAnswer:
    """Decide about an offer: nearly all are accepted."""
    return "decline" if rng.random() < _DECLINE_SHARE else "accept"


def chat_closed_at(joined_at: datetime, rng: Random) -> datetime:
    """Return when the customer closes the chat."""
    return joined_at + timedelta(minutes=rng.randint(3, 8))


def answer_to(replied_at: datetime, rng: Random) -> datetime:
    """Return when to answer a reply of the customer that arrived before our last answer did."""
    return replied_at + timedelta(minutes=rng.randint(1, 8))


def presence_changes(
    roster: Iterable[SpecialistListed], on: date, seed: int
) -> list[PresenceChange]:
    """Plan presence changes: a break for each who is online; the others arrive at 09:00 UTC."""
    plan = []
    for specialist in roster:
        rng = seeded_random(seed, on, specialist.specialist_id)
        if specialist.presence != "online":
            comes = datetime.combine(on, _ARRIVES_AT, UTC)
            plan.append(PresenceChange(specialist.specialist_id, comes, "online"))
            continue
        leaves = datetime.combine(on, time(), UTC) + timedelta(
            minutes=rng.randrange(_BREAK_HOURS[0] * 60, _BREAK_HOURS[1] * 60)
        )
        back = leaves + timedelta(minutes=rng.randint(30, 60))
        plan.append(PresenceChange(specialist.specialist_id, leaves, "away"))
        plan.append(PresenceChange(specialist.specialist_id, back, "online"))
    return sorted(plan, key=lambda change: change.at)


def _answer_after(work: AssignedWork, rng: Random) -> timedelta:
    scale = _LANGUAGE_FACTOR.get(work.ticket.language, 1.0) * (1 + _PER_TICKET_HELD * work.held)
    work_s = _MEDIAN_S[work.ticket.channel] * rng.lognormvariate(0, _SPREAD)
    return timedelta(seconds=round(work_s * scale))


def _action(
    kind: ActionKind,
    at: datetime,
    *,
    reported_at: datetime | None = None,
    severity: Severity | None = None,
) -> PlannedAction:
    return PlannedAction(kind, at, reported_at or at, severity)


def _actions_for(work: AssignedWork, answers: datetime, rng: Random) -> list[PlannedAction]:
    ticket, begins = work.ticket, work.assigned_at
    minutes = timedelta(minutes=rng.randint(3, 15))
    due_at = ticket.due_at or answers
    match work.scenario:
        case "plain" | "answered_elsewhere":
            return _answer_actions(ticket.channel, answers, rng)
        case "slow":
            return _answer_actions(ticket.channel, max(answers, due_at + minutes), rng)
        case "reported_late":
            reported_at = max(answers, due_at + minutes)
            return [_action("responded", min(answers, begins + minutes), reported_at=reported_at)]
        case "waits":
            asked = begins + minutes / 3
            replied = asked + minutes
            return [
                _action("waiting", asked),
                _action("resumed", replied),
                _action("responded", replied + minutes / 2),
            ]
        case "overclaimed":
            found = begins + minutes / 5
            answered = max(answers, found + minutes)
            return [
                _action("reclassified", found, severity="standard"),
                _action("responded", answered),
            ]
        case "withdrawn":
            return []
        case _:
            assert_never(work.scenario)


def _answer_actions(channel: Channel, at: datetime, rng: Random) -> list[PlannedAction]:
    match channel:
        case "email":
            return [_action("responded", at)]
        case "phone":
            return [_action("customer_reached", at)]
        case "chat":
            return [_action("responded", at), _action("closed", chat_closed_at(at, rng))]
        case _:
            assert_never(channel)
