"""What a ticket asks of the roster, for the decision who gets it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from router.domain.matching import Question
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from router.domain.waiting_queue import pool_of
from shared.events import QueueReason, Wanted

__all__ = ["Acquaintance", "aside", "pinned", "question", "why_it_waits"]


class Acquaintance(NamedTuple):
    """Who had a ticket of an account last, and since when."""

    specialist_id: str
    at: datetime


def pinned(roster: Roster, ticket: Ticket) -> str | None:
    """Name whom a ticket is pinned to, while they qualify; else it is as if it were not."""
    who = ticket.pinned_to
    return who if who is not None and roster.qualifies(who, pool_of(ticket)) else None


def returning(roster: Roster, ticket: Ticket) -> str | None:
    """Name who answered a ticket that came back, if they can have it now."""
    who = None if ticket.answered_by is None else roster.get(ticket.answered_by)
    if who is None or who.specialist_id in ticket.set_aside:
        return None
    pool = pool_of(ticket)
    able = who.can_take(pool.channel) and roster.qualifies(who.specialist_id, pool)
    return who.specialist_id if able else None


def aside(roster: Roster, ticket: Ticket) -> Collection[str]:
    """Name those whom a ticket is not given to.

    Who only kept silent is asked again when no other is there, and who said no, when all who
    qualify did; neither before a ticket that rang in vain may ring at them again.
    """
    some: Collection[str] = ticket.set_aside.keys()
    if not some or ticket.rings_at is not None:
        return some
    if pinned(roster, ticket) is not None:
        return ()
    pool = pool_of(ticket)
    needs = roster.needs(pool)
    if roster.ranks.all_there_in(pool.channel, needs, some):
        some = ticket.declined_by
    return () if roster.ranks.all_in(pool.channel, needs, some) else some


def question(roster: Roster, ticket: Ticket, known: Acquaintance | None, now: datetime) -> Question:
    """Ask for somebody; ``known`` is who had the account last, however long ago."""
    pool, terms, not_to = pool_of(ticket), ticket.terms, aside(roster, ticket)
    only = pinned(roster, ticket)
    back_to = returning(roster, ticket) if only is None else None
    wanted = Wanted(
        account_id=terms.account_id,
        channel=pool.channel,
        language=pool.language,
        promise_class=ticket.promise_class,
        due_at=ticket.due_at,
        rank_at=ticket.key[0],
        needs=roster.needs(pool),
        all_set_aside=bool(ticket.set_aside) and not not_to,
        pinned_to=only or back_to,
        returns=back_to is not None,
    )
    knows = known is not None and now - known.at <= roster.rules.knows
    return Question(
        ticket.ticket_id,
        wanted,
        aside=not_to or ticket.set_aside.keys(),
        known_by=known.specialist_id if known is not None and knows else None,
        again_at=ticket.again_at,
    )


def why_it_waits(roster: Roster, ticket: Ticket) -> QueueReason:
    """Say what stands in the way of a ticket that waits."""
    pool = pool_of(ticket)
    rang = ticket.rings_at is not None
    if rang and roster.ranks.all_there_in(pool.channel, roster.needs(pool), ticket.set_aside):
        return "no_answer"
    return roster.why_nobody(pool)
