"""The rules of merges: the target takes over the promise of the duplicate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.events import CustomerReplied, Envelope, Event, TicketAbsorbed
from shared.sla.promises import Channel
from shared.tickets import LifecycleFact, TicketLife, fact_of, lifecycle

__all__ = [
    "KnownTicket",
    "absorbed_event",
    "facts_to_move",
    "life_of",
    "moved_event",
    "reply_event",
]

type Fact = Envelope[Event]

_MOVABLE: Final = (CustomerReplied, TicketAbsorbed)
"""The events that count for the target when they are reported of a duplicate."""


@dataclass(frozen=True, slots=True)
class KnownTicket:
    """What is needed of a ticket to record later facts about it."""

    ticket_id: UUID
    source: str
    external_id: str
    channel: Channel
    create_date: datetime
    reopen_within_s: int
    is_erased: bool

    @property
    def fact(self) -> LifecycleFact:
        """The acceptance, with which the ticket's life begins."""
        return LifecycleFact(
            "accepted",
            self.create_date,
            self.ticket_id,
            channel=self.channel,
            reopen_within=timedelta(seconds=self.reopen_within_s),
        )


def life_of(ticket: KnownTicket, facts: Iterable[Fact], *, before: datetime) -> TicketLife:
    """Return the state of a ticket at a time, from the facts that upstream systems reported.

    It does not include what specialists did in the inbox.
    """
    earlier = (fact_of(fact) for fact in facts if fact.time <= before)
    life = lifecycle([ticket.fact, *earlier])
    assert life is not None  # noqa: S101 - it was accepted
    return life


def absorbed_event(
    duplicate: KnownTicket, facts: Sequence[Fact], target: UUID, *, merged_at: datetime
) -> TicketAbsorbed:
    """Make the target's event of a merge: what it owes the duplicate's customer, and since when."""
    life = life_of(duplicate, facts, before=merged_at)
    own = (f.event for f in facts if f.time <= merged_at)
    older = (event.create_date for event in own if isinstance(event, TicketAbsorbed))
    return TicketAbsorbed(
        ticket_id=target,
        absorbed=duplicate.ticket_id,
        create_date=min([duplicate.create_date, *older]),
        owed_since=life.unanswered_since,
        reopens=life.unanswered_since is not None or not life.is_over,
    )


def facts_to_move(facts: Iterable[Fact], *, merged_at: datetime) -> list[Fact]:
    """Return the duplicate's replies and merges from after its merge: they count for the target."""
    return [fact for fact in facts if fact.time > merged_at and isinstance(fact.event, _MOVABLE)]


def moved_event(event: Event, target: UUID) -> Event:
    """Turn an event of a duplicate into the event of the target for which it counts."""
    assert isinstance(event, _MOVABLE)  # noqa: S101 - `facts_to_move` returns no others
    if isinstance(event, CustomerReplied):
        return reply_event(event.written_on or event.ticket_id, target)
    return event.model_copy(update={"ticket_id": target})


def reply_event(ticket_id: UUID, target: UUID) -> CustomerReplied:
    """Make the event of a reply to ``ticket_id`` that counts for ``target``."""
    return CustomerReplied(ticket_id=target, written_on=None if ticket_id == target else ticket_id)
