"""What can be done from a page: each act once, however often it is sent, and on record."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from router import handlers
from router.domain import Decline, Unknown
from router.inbox import store
from shared.postgres import Tx
from shared.tracing import traceparent_or_new
from shared.web.visitors import Denied, Missing, Visitor

__all__ = ["ACTS", "Said", "Wish", "perform"]

REASONS: Final = ("not my field", "no room now", "conflict of interest", "wrong language")
"""Why tickets are declined. Published: so no free text in which a customer could be named."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for on a page. ``turn`` is the ticket's when the page was drawn."""

    act: str
    ticket_id: UUID
    turn: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of it, in words; ``bad`` when it did not come to pass."""

    text: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class _Act:
    """``run`` raises NotTheirs, Unknown; its words come back."""

    run: Callable[[Tx, Visitor, str, Wish, datetime], Awaitable[str]]
    lead_only: bool = False


async def perform(tx: Tx, visitor: Visitor, holder: str, wish: Wish, now: datetime) -> Said:
    """Do it, or say what came of it when it was done before.

    ``holder`` is whose ticket it was when the page was drawn. Raises Denied, Missing, NotTheirs.
    """
    act = ACTS.get(wish.act)
    if act is None:
        raise Missing(f"There is no act {wish.act}.")
    if not visitor.lead and (act.lead_only or holder != visitor.name):
        raise Denied("This is another's ticket: ask them, or your team lead.")
    act_id = uuid5(wish.ticket_id, f"{wish.act}/{visitor.name}/{wish.turn}")
    before = await store.acted(
        tx,
        *(act_id, wish.act, wish.ticket_id, visitor, wish.fields, now),
        as_lead=holder != visitor.name,
    )
    if before is not None:
        return Said(before)
    try:
        outcome = await act.run(tx, visitor, holder, wish, now)
    except Unknown as e:
        raise Missing("There is no such ticket.") from e
    await store.note_outcome(tx, act_id, outcome)
    return Said(outcome)


async def _decline(tx: Tx, _: Visitor, holder: str, wish: Wish, now: datetime) -> str:
    reason = wish.fields.get("reason", "")
    if reason not in REASONS:
        raise Missing(f"“{reason}” is no reason: choose {', '.join(REASONS)}.")
    declined = Decline(wish.ticket_id, holder, reason, traceparent_or_new(None))
    ticket = await handlers.decline(tx, declined, now)
    return f"declined, {reason}; {await _whose(tx, ticket.specialist_id)}"


async def _whose(tx: Tx, specialist_id: str | None) -> str:
    if specialist_id is None:
        return "it waits, with its age"
    names = await store.names(tx, [specialist_id])
    return f"{names.get(specialist_id, specialist_id)} has it now"


ACTS: Final[Mapping[str, _Act]] = {"decline": _Act(_decline)}
