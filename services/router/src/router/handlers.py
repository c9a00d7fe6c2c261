"""Facts about tickets and the roster become assignments; so does a specialist's refusal."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from router import callbacks, feasibility, store
from router.callbacks import Book, Call, Dial
from router.callbacks import store as ledgers
from router.domain import Decline, Desk
from router.roster import CHANNELS
from router.ticket import FACTS, Ticket
from shared import outbox
from shared.events import (
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAccepted,
    TicketFact,
)
from shared.events.assignments import AssignmentFact
from shared.events.codec import read
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "decline", "decode", "dial", "look", "take"]

CONSUMES: Final = (TicketFact.topic, SpecialistListed.topic)
EMITS: Final = (AssignmentFact.topic,)
_SPARE: Final = 16  # tickets loaded of each pool beyond the room to come: some were declined
_WIDER: Final = 8  # times as many when that was too few

decode = read


async def take(tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
    """Fold fresh events in, match, save, and announce who has what."""

    def apply_all(desk: Desk, book: Book) -> None:
        for envelope in envelopes:
            callbacks.follow(desk, book, envelope)

    await _decide(tx, envelopes, (), now, apply_all)


async def decline(tx: Tx, declined: Decline, now: datetime) -> Ticket:
    """Give a ticket back for another specialist. Raises domain.Unknown, domain.NotTheirs."""
    return await _decide(tx, (), (declined.ticket_id,), now, lambda desk, _: desk.decline(declined))


async def dial(tx: Tx, dialled: Dial, now: datetime) -> Call:
    """Take down what came of a call. Raises NoCallback, Settled, Stranger."""

    def take_down(desk: Desk, book: Book) -> Call:
        return callbacks.dial(desk, book, dialled, now)

    return await _decide(tx, (), (dialled.ticket_id,), now, take_down)


async def look(tx: Tx, now: datetime) -> None:
    """Do what time alone brings: shifts begin and end, and planned calls are due."""
    await _decide(tx, (), await ledgers.due(tx), now, lambda d, b: callbacks.remind(d, b, now))


async def _decide[T](
    tx: Tx,
    envelopes: Sequence[Envelope[Event]],
    others: Collection[UUID],
    now: datetime,
    act: Callable[[Desk, Book], T],
) -> T:
    """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
    ids = {e.event.ticket_id for e in envelopes if isinstance(e.event, FACTS)}.union(others)
    leaving = {e.event.specialist_id for e in envelopes if isinstance(e.event, SpecialistRemoved)}
    spare = _SPARE
    await store.lock(tx)
    pages = await ledgers.load(tx, envelopes, ids)
    ids |= pages.ticket_ids
    while True:
        roster = await store.load_roster(tx, now)
        desk = Desk(roster, await store.load_tickets(tx, ids, leaving), now)
        book = pages.open()
        coming = desk.room_to_come(envelopes)
        limits = {channel: spare + coming.get(channel, 0) for channel in CHANNELS}
        desk.bring_waiting(await store.load_waiting(tx, limits), limits)
        desk.turn_shifts()
        outcome = act(desk, book)
        if desk.saw_enough:
            break
        spare *= _WIDER
    await store.save(tx, desk)
    accepted = [e.event.ticket_id for e in envelopes if isinstance(e.event, TicketAccepted)]
    await ledgers.save(tx, book, desk, accepted)
    stuck = await feasibility.keep(tx, desk, now)
    await outbox.add(tx, [*book.announced, *desk.announced, *stuck])
    return outcome
