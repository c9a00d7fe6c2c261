"""The batch consumer on real servers: bad records parked, neighbours handled, nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from shared.basics.errors import Poison, Transient
from shared.events import Envelope, Event, TicketResponded
from shared.events.codec import Header, headers_of, read, value_of
from shared.platform import dead_letters, outbox
from shared.platform.consumer import BatchConsumer, ConsumerConnection
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database, Tx
from shared.platform.publisher import Outgoing, Publisher
from shared.platform.relay import Relay
from shared.testing.databases import FreshDatabase
from shared.testing.topics import Topics

SERVICE = "intake"
DEAD_LETTERS = "intake.dead-letters.v1"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

type MakeDatabase = Callable[[str], Awaitable[FreshDatabase]]
type Handle = Callable[[Tx, Sequence[Envelope[Event]], datetime], Awaitable[None]]


def good(ticket_id: UUID | None = None) -> Outgoing:
    """Make a fact that any reader takes."""
    event = TicketResponded(ticket_id=ticket_id or uuid4())
    envelope: Envelope[Event] = Envelope(uuid4(), "test", NOON, event)
    return Outgoing("tickets.v1", b"key", value_of(event), headers_of(envelope))


def spoiled(
    value: bytes | None = b"{}", name: str = "x", header: bytes | None = b"", *, keep: bool = True
) -> Outgoing:
    """Make a fact with another value, and one more header."""
    headers: list[Header] = [*(good().headers if keep else []), (name, header)]
    return Outgoing("tickets.v1", b"key", value, headers)


BAD = {
    "bad_json": spoiled(b'{"ticket_id": '),
    "nan": spoiled(b'{"ticket_id": NaN}'),
    "wrong_schema": spoiled(b'{"ticket_id": 7}'),
    "bad_utf8": spoiled(b'"\xff"'),
    "non_utf8_header": spoiled(good().value, "ce_id", b"\xff"),
    "null_header": spoiled(good().value, "ce_id", None),
    "tombstone": spoiled(None),
    "empty": spoiled(b""),
    "one_mebibyte": spoiled(b'"' + b"x" * 1_000_000 + b'"'),
    "deep_nesting": spoiled(b"[" * 50_000),
    "year_0": spoiled(good().value, "ce_time", b"0000-01-01T00:00:00Z"),
    "year_10000": spoiled(good().value, "ce_time", b"10000-01-01T00:00:00Z"),
    "no_attributes": spoiled(good().value, keep=False),
    "unknown_version": spoiled(good().value, "ce_type", b"premium.ticket.responded.v9"),
}


def consumer_of(
    topics: Topics, db: Database, handle: Handle, *, reads: Sequence[str] = ("tickets.v1",)
) -> BatchConsumer[Envelope[Event]]:
    """Make a consumer."""
    connection = ConsumerConnection(topics.bootstrap, SERVICE, topic_prefix=topics.prefix)
    return BatchConsumer(connection, db, topics=reads, decode=read, handle=handle)


@asynccontextmanager
async def consuming(
    topics: Topics, fresh: FreshDatabase, handle: Handle
) -> AsyncIterator[Database]:
    """Run a consumer with its relay while the context lasts."""
    db = Database(fresh.dsn, service=SERVICE)
    publisher = Publisher(topics.bootstrap, service=SERVICE, topic_prefix=topics.prefix)
    relay = Relay(db, publisher)
    parts: list[Part] = [db, publisher, relay, consumer_of(topics, db, handle)]
    for part in parts:
        await part.start()
    try:
        yield db
    finally:
        for part in reversed(parts):
            await part.stop()


class Seen:
    """A handler that notes what it was given, in the same transaction as its claims."""

    def __init__(self) -> None:
        self.tickets: list[UUID] = []
        self._news = asyncio.Event()

    async def __call__(self, _: Tx, envelopes: Sequence[Envelope[Event]], __: datetime) -> None:
        """Note the tickets."""
        self.tickets += [UUID(envelope.event.subject) for envelope in envelopes]
        self._news.set()

    async def until(self, tickets: Sequence[UUID], within_s: float = 30) -> None:
        """Wait until these tickets were given, in this order. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while self.tickets != tickets:
                self._news.clear()
                await self._news.wait()


@pytest.mark.parametrize("place", [0, 2, 4])
async def test_bad_records_are_parked_and_their_neighbours_handled(
    topics: Topics, database: MakeDatabase, place: int
) -> None:
    """Every class of bad record, at the head, in the middle and at the end of a batch of five."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    ids = [uuid4() for _ in range(4 * len(BAD))]
    records = []
    for number, bad in enumerate(BAD.values()):
        batch = [good(ticket_id) for ticket_id in ids[4 * number : 4 * number + 4]]
        records += [*batch[:place], bad, *batch[place:]]
    await topics.send(records)
    seen = Seen()
    async with consuming(topics, await database("intake"), seen) as db:
        told = await topics.wait_for(DEAD_LETTERS, len(BAD))
        async with db.session() as session:
            parked = await dead_letters.all_parked(session)
    assert seen.tickets == ids
    for letter, notice, bad in zip(parked, told, BAD.values(), strict=True):
        assert (letter.key, letter.value, letter.headers) == (bad.key, bad.value, bad.headers)
        assert (notice.key, notice.value) == (str(letter.id).encode(), None)
        assert dict(notice.headers)["dl-offset"] == str(letter.offset).encode()


async def test_a_bug_in_a_handler_costs_only_the_record_that_shows_it(
    topics: Topics, database: MakeDatabase
) -> None:
    """The batch is bisected; the record is tried a few times, then parked as a bug."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    ids = [uuid4() for _ in range(20)]
    seen, tries = Seen(), 0

    async def stumble(tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        nonlocal tries
        if any(e.event.subject == str(ids[13]) for e in envelopes):
            tries += len(envelopes) == 1
            raise ZeroDivisionError("surprise")
        await seen(tx, envelopes, now)

    await topics.send(good(ticket_id) for ticket_id in ids)
    async with consuming(topics, await database("intake"), stumble):
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
    assert seen.tickets == ids[:13] + ids[14:]
    assert dict(letter.headers)["dl-reason"] == b"bug"
    assert tries == 3


async def test_poison_from_a_handler_is_parked_at_once(
    topics: Topics, database: MakeDatabase
) -> None:
    """What the handler calls poison is not tried again."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    calls = 0

    async def refuse(_: Tx, __: Sequence[Envelope[Event]], ___: datetime) -> None:
        nonlocal calls
        calls += 1
        raise Poison("no_such_thing", "there is none")

    await topics.send([good()])
    async with consuming(topics, await database("intake"), refuse):
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
    assert dict(letter.headers)["dl-reason"] == b"no_such_thing"
    assert calls == 1


async def test_a_batch_waits_while_a_server_is_away(topics: Topics, database: MakeDatabase) -> None:
    """Transient failures park nothing and lose nothing, however often they come."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    ids = [uuid4() for _ in range(5)]
    seen, calls = Seen(), 0

    async def sometimes(tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        nonlocal calls
        calls += 1
        if calls < 5:
            raise Transient("the server is away")
        await seen(tx, envelopes, now)
        if len(seen.tickets) == len(ids):
            await announce_end(tx)

    await topics.send(good(ticket_id) for ticket_id in ids)
    async with consuming(topics, await database("intake"), sometimes):
        (end,) = await topics.wait_for(DEAD_LETTERS, 1)
    assert end.value == b"end"
    assert seen.tickets == ids


async def test_an_event_is_handled_once_however_often_it_comes(
    topics: Topics, database: MakeDatabase
) -> None:
    """The inbox knows it: in one batch, and in the next."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    once = good()
    seen = Seen()
    fresh = await database("intake")
    await topics.send([once, once, once])
    async with consuming(topics, fresh, seen):
        await topics.send([once, once, spoiled(b"")])
        await topics.wait_for(DEAD_LETTERS, 1)
    assert len(seen.tickets) == 1


async def test_a_restart_goes_on_where_it_stopped(topics: Topics, database: MakeDatabase) -> None:
    """What was handled before is committed: a fresh start does not even see it."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh, first, second = await database("intake"), Seen(), Seen()
    await topics.send([good(), good(), spoiled(b"")])
    async with consuming(topics, fresh, first):
        await topics.wait_for(DEAD_LETTERS, 1)
    await topics.send([good(), spoiled(b"")])
    async with consuming(topics, fresh, second):
        await topics.wait_for(DEAD_LETTERS, 2)
    assert (len(first.tickets), len(second.tickets)) == (2, 1)


async def announce_end(tx: Tx) -> None:
    """Send a signal to the test through the outbox."""
    await outbox.add_raw(tx, topic=DEAD_LETTERS, key=None, value=b"end", headers=[])
