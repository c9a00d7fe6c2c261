"""What a ticket asks of the roster, for the decision who gets it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from router.matching import Question
from router.queue import pool_of
from router.roster import Roster
from router.ticket import Ticket
from shared.events import Wanted

__all__ = ["Acquaintance", "aside", "question"]


class Acquaintance(NamedTuple):
    """Who was given a ticket of an account last, and when."""

    specialist_id: str
    at: datetime


def aside(roster: Roster, ticket: Ticket) -> Collection[str]:
    """Name those whom a ticket is not given to, unless all who qualify are among them."""
    pool, some = pool_of(ticket), ticket.declined_by
    if some and roster.ranks.all_in(pool.channel, roster.needs(pool), some):
        return ()
    return some


def question(roster: Roster, ticket: Ticket, known: Acquaintance | None, now: datetime) -> Question:
    """Ask for somebody; ``known`` is who had the account last, however long ago."""
    pool, terms = pool_of(ticket), ticket.terms
    wanted = Wanted(
        account_id=terms.account_id,
        channel=pool.channel,
        language=pool.language,
        promise_class=ticket.promise_class,
        due_at=ticket.due,
        rank_at=ticket.key[0],
        needs=roster.needs(pool),
        all_set_aside=bool(ticket.declined_by) and not aside(roster, ticket),
    )
    knows = known is not None and now - known.at <= roster.rules.knows
    return Question(
        ticket.ticket_id,
        wanted,
        aside=ticket.declined_by,
        known_by=known.specialist_id if known is not None and knows else None,
        again_at=ticket.again_at,
    )
