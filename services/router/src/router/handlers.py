"""Facts about tickets and the roster become assignments; so does a specialist's refusal."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from router import happenings, store
from router.domain import Decline, Desk
from router.roster import CHANNELS
from router.ticket import FACTS, Ticket
from shared import outbox
from shared.events import Envelope, Event, SpecialistListed, SpecialistRemoved, TicketFact
from shared.events.assignments import AssignmentFact
from shared.events.codec import read
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "decline", "decode", "take", "turn_shifts"]

CONSUMES: Final = (TicketFact.topic, SpecialistListed.topic)
EMITS: Final = (AssignmentFact.topic,)
_SPARE: Final = 16  # tickets loaded of each pool beyond the room to come: some were declined
_WIDER: Final = 8  # times as many when that was too few

decode = read


async def take(tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
    """Fold fresh events in, match, save, and announce who has what."""

    def apply_all(desk: Desk) -> None:
        for envelope in envelopes:
            desk.apply(envelope)

    await _decide(tx, envelopes, (), now, apply_all)


async def decline(tx: Tx, declined: Decline, now: datetime) -> Ticket:
    """Give a ticket back for another specialist. Raises domain.Unknown, domain.NotTheirs."""
    return await _decide(tx, (), (declined.ticket_id,), now, lambda desk: desk.decline(declined))


async def turn_shifts(tx: Tx, now: datetime) -> None:
    """Let shifts begin and end that do so by now, and give work to who comes."""
    await _decide(tx, (), (), now, lambda _: None)


async def _decide[T](
    tx: Tx,
    envelopes: Sequence[Envelope[Event]],
    others: Collection[UUID],
    now: datetime,
    act: Callable[[Desk], T],
) -> T:
    """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
    ids = {e.event.ticket_id for e in envelopes if isinstance(e.event, FACTS)}
    leaving = {e.event.specialist_id for e in envelopes if isinstance(e.event, SpecialistRemoved)}
    spare = _SPARE
    await store.lock(tx)
    while True:
        roster = await store.load_roster(tx, now)
        desk = Desk(roster, await store.load_tickets(tx, ids.union(others), leaving), now)
        coming = desk.room_to_come(envelopes)
        limits = {channel: spare + coming.get(channel, 0) for channel in CHANNELS}
        desk.bring_waiting(await store.load_waiting(tx, limits), limits)
        desk.turn_shifts()
        outcome = act(desk)
        if desk.saw_enough:
            break
        spare *= _WIDER
    await store.save(tx, desk)
    await outbox.add(tx, desk.announced)
    await happenings.record(tx, [*envelopes, *desk.announced], desk.tickets)
    return outcome
