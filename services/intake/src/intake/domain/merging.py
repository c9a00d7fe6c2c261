"""What a merge means: the duplicate's promise lives on in the ticket that stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.events import CustomerReplied, Envelope, Event, TicketAbsorbed
from shared.sla.promises import Channel
from shared.tickets import LifecycleFact, TicketLife, fact_of, lifecycle

__all__ = ["Opened", "absorbed", "life_of", "moved", "moves", "reply_to"]

type Fact = Envelope[Event]

_MOVES: Final = (CustomerReplied, TicketAbsorbed)
"""What counts for the ticket that stays, when it was told of a duplicate."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket, as far as it matters for what is told of it later."""

    ticket_id: UUID
    source: str
    external_id: str
    channel: Channel
    create_date: datetime
    reopen_within_s: int
    is_erased: bool

    @property
    def fact(self) -> LifecycleFact:
        """What begins its life."""
        return LifecycleFact(
            "accepted",
            self.create_date,
            self.ticket_id,
            channel=self.channel,
            reopen_within=timedelta(seconds=self.reopen_within_s),
        )


def life_of(ticket: Opened, facts: Iterable[Fact], *, before: datetime) -> TicketLife:
    """Say how a ticket stood at a moment, by what upstream said; at our desks more may be known."""
    said = (fact_of(fact) for fact in facts if fact.time <= before)
    life = lifecycle([ticket.fact, *said])
    assert life is not None  # noqa: S101 - it was accepted
    return life


def absorbed(
    duplicate: Opened, facts: Sequence[Fact], stays: UUID, *, merged_at: datetime
) -> TicketAbsorbed:
    """Tell the ticket that stays what is owed to the duplicate's customer, and since when."""
    life = life_of(duplicate, facts, before=merged_at)
    own = (f.event for f in facts if f.time <= merged_at)
    older = (event.create_date for event in own if isinstance(event, TicketAbsorbed))
    return TicketAbsorbed(
        ticket_id=stays,
        absorbed=duplicate.ticket_id,
        create_date=min([duplicate.create_date, *older]),
        owed_since=life.unanswered_since,
        reopens=life.unanswered_since is not None or not life.is_over,
    )


def moves(facts: Iterable[Fact], *, merged_at: datetime) -> list[Fact]:
    """Pick what was told of a duplicate after it was merged: it counts for the one that stays."""
    return [fact for fact in facts if fact.time > merged_at and isinstance(fact.event, _MOVES)]


def moved(event: Event, stays: UUID) -> Event:
    """Say of the ticket that stays what was told of one that was merged into it."""
    assert isinstance(event, _MOVES)  # noqa: S101 - others do not move
    if isinstance(event, CustomerReplied):
        return reply_to(event.written_on or event.ticket_id, stays)
    return event.model_copy(update={"ticket_id": stays})


def reply_to(ticket_id: UUID, stays: UUID) -> CustomerReplied:
    """Let a reply count for the ticket that stays."""
    return CustomerReplied(ticket_id=stays, written_on=None if ticket_id == stays else ticket_id)
