"""Facts, acts of people, and time become offers and assignments."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from router import callbacks, feasibility, happenings, store
from router.callbacks import Book, Call, Dial
from router.callbacks import store as ledgers
from router.domain import Desk
from router.offers import store as kept
from router.offers.acts import (
    REPEATED_WITHIN,
    Accept,
    Act,
    Conflict,
    DeclineOffer,
    Outcome,
    Say,
    deed_of,
)
from router.offers.effects import do
from router.offers.effects import say as take_word
from router.roster import CHANNELS
from router.ticket import FACTS
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

__all__ = ["CONSUMES", "EMITS", "act", "decode", "dial", "say", "take", "wake"]

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

    await _decide(tx, envelopes, now, apply_all)


async def act(tx: Tx, wanted: Act, now: datetime) -> Outcome:
    """Let somebody act; once: done again, it is answered as before. Raises Unknown, Conflict."""
    await store.lock(tx)
    offer = None
    if isinstance(wanted, Accept | DeclineOffer):
        offer = await kept.find_offer(tx, wanted.offer_id)
        concerned = {offer.ticket_id} if offer else set()
    else:
        concerned = {wanted.ticket_id}
    try:
        done = await _decide(
            tx, (), now, lambda desk, _: do(desk, wanted, offer), tickets=concerned
        )
    except Conflict:
        before = await kept.done_before(tx, deed_of(wanted), since=now - REPEATED_WITHIN)
        if before is None:
            raise
        return before
    await kept.add_act(tx, done, at=now)
    return done.outcome


async def say(tx: Tx, word: Say, now: datetime) -> None:
    """Take a heartbeat. Who says what they said before disturbs nobody. Raises Unknown."""
    rules = await kept.load_rules(tx)
    until = now + timedelta(seconds=rules.presence_lease_s)
    name = word.specialist_id
    again = not word.hand_back and await kept.say_again(
        tx, name, word.presence, now=now, until=until
    )
    if not again:
        await _decide(tx, (), now, lambda desk, _: take_word(desk, word), people={name})


async def dial(tx: Tx, dialled: Dial, now: datetime) -> Call:
    """Take down what came of a call. Raises callbacks.NoCallback, callbacks.Settled."""

    def take_down(desk: Desk, book: Book) -> Call:
        return callbacks.dial(desk, book, dialled, now)

    return await _decide(tx, (), now, take_down, tickets={dialled.ticket_id})


async def wake(tx: Tx, now: datetime) -> None:
    """Let time have its effect: on shifts, presence, leases, graces and planned calls."""
    due = await ledgers.due(tx)
    await _decide(tx, (), now, lambda d, b: callbacks.remind(d, b, now), tickets=due)


async def _decide[T](  # noqa: PLR0913 - what it is about, and what to do
    tx: Tx,
    envelopes: Sequence[Envelope[Event]],
    now: datetime,
    decide: Callable[[Desk, Book], T],
    *,
    tickets: Collection[UUID] = (),
    people: Collection[str] = (),
) -> T:
    """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
    ids = {e.event.ticket_id for e in envelopes if isinstance(e.event, FACTS)}.union(tickets)
    changing = {
        e.event.specialist_id
        for e in envelopes
        if isinstance(e.event, SpecialistListed | SpecialistRemoved)
    }.union(people)
    spare = _SPARE
    await store.lock(tx)
    rules = await kept.load_rules(tx)
    pages = await ledgers.load(tx, envelopes, ids)
    ids |= pages.ticket_ids
    while True:
        roster = await store.load_roster(tx, now)
        who = changing.union(one.specialist_id for one in roster.due(now))
        desk = Desk(roster, await store.load_tickets(tx, ids, who, now=now), now, rules)
        book = pages.open()
        coming = desk.room_to_come(envelopes)
        limits = {channel: spare + coming.get(channel, 0) for channel in CHANNELS}
        desk.bring_waiting(await store.load_waiting(tx, limits), limits)
        desk.wake()
        outcome = decide(desk, book)
        if desk.saw_enough:
            break
        spare *= _WIDER
    await store.save(tx, desk)
    accepted = [e.event.ticket_id for e in envelopes if isinstance(e.event, TicketAccepted)]
    await ledgers.save(tx, book, desk, accepted)
    announced = [*book.announced, *desk.announced, *await feasibility.keep(tx, desk, now)]
    await outbox.add(tx, announced)
    await happenings.record(tx, [*envelopes, *announced], desk.tickets)
    return outcome
