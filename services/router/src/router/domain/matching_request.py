"""Builds the matching request of a ticket: its needs, and who is excluded from it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from router.domain.matching import MatchingRequest
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from router.domain.waiting_queue import pool_of
from shared.events import QueueReason, Wanted

__all__ = [
    "AccountAffinity",
    "excluded_specialists",
    "matching_request",
    "pinned_to",
    "waiting_reason",
]


class AccountAffinity(NamedTuple):
    """The specialist who last had a ticket of an account, and when it was assigned."""

    specialist_id: str
    at: datetime


def pinned_to(roster: Roster, ticket: Ticket) -> str | None:
    """Return the specialist to whom a ticket is pinned, if they qualify; else None."""
    specialist_id = ticket.pinned_to
    if specialist_id is None or not roster.qualifies(specialist_id, pool_of(ticket)):
        return None
    return specialist_id


def _returning_to(roster: Roster, ticket: Ticket) -> str | None:
    """Return the specialist who answered before the customer's reply, if they can take it now."""
    last = None if ticket.answered_by is None else roster.get(ticket.answered_by)
    if last is None or last.specialist_id in ticket.excluded_until:
        return None
    pool = pool_of(ticket)
    able = last.can_take(pool.channel) and roster.qualifies(last.specialist_id, pool)
    return last.specialist_id if able else None


def excluded_specialists(roster: Roster, ticket: Ticket) -> Collection[str]:
    """Return the specialists who are not offered a ticket now.

    Those who did not answer leave the exclusion when no other is available; those who declined,
    when all who qualify are excluded. Neither happens before the ticket's next offer round.
    """
    excluded: Collection[str] = ticket.excluded_until.keys()
    if not excluded or ticket.rings_at is not None:
        return excluded
    if pinned_to(roster, ticket) is not None:
        return ()
    pool = pool_of(ticket)
    needs = roster.needs(pool)
    if roster.index.all_available_in(pool.channel, needs, excluded):
        excluded = ticket.declined_by
    return () if roster.index.all_qualified_in(pool.channel, needs, excluded) else excluded


def matching_request(
    roster: Roster, ticket: Ticket, affinity: AccountAffinity | None, now: datetime
) -> MatchingRequest:
    """Build the request of a ticket; an expired ``affinity`` does not count."""
    pool, terms, excluded = pool_of(ticket), ticket.terms, excluded_specialists(roster, ticket)
    only = pinned_to(roster, ticket)
    back_to = _returning_to(roster, ticket) if only is None else None
    wanted = Wanted(
        account_id=terms.account_id,
        channel=pool.channel,
        language=pool.language,
        promise_class=ticket.promise_class,
        due_at=ticket.due_at,
        rank_at=ticket.key[0],
        needs=roster.needs(pool),
        all_set_aside=bool(ticket.excluded_until) and not excluded,
        pinned_to=only or back_to,
        returns=back_to is not None,
    )
    knows = affinity is not None and now - affinity.at <= roster.rules.affinity_duration
    return MatchingRequest(
        ticket.ticket_id,
        wanted,
        excluded=excluded or ticket.excluded_until.keys(),
        known_by=affinity.specialist_id if affinity is not None and knows else None,
        again_at=ticket.again_at,
    )


def waiting_reason(roster: Roster, ticket: Ticket) -> QueueReason:
    """Return why a waiting ticket has no specialist."""
    pool = pool_of(ticket)
    unanswered = ticket.rings_at is not None
    if unanswered and roster.index.all_available_in(
        pool.channel, roster.needs(pool), ticket.excluded_until
    ):
        return "no_answer"
    return roster.why_unassignable(pool)
