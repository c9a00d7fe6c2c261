"""The outbox and its relay on real servers: once in effect, in order, one relay at a time."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import override
from uuid import UUID, uuid4

import pytest

from shared.basics.errors import Transient
from shared.events import Envelope, Event, TicketResolved, TicketResponded
from shared.platform import outbox
from shared.platform.postgres import Database, transient_if_unavailable
from shared.platform.publisher import Outgoing, Publisher
from shared.platform.relay import Relay
from shared.testing.databases import FreshDatabase
from shared.testing.topics import Topics

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

type MakeDatabase = Callable[[str], Awaitable[FreshDatabase]]


def fact(ticket_id: UUID) -> Envelope[Event]:
    """Make something to announce."""
    return Envelope(uuid4(), "test", NOON, TicketResponded(ticket_id=ticket_id))


async def announce(db: Database, envelopes: Iterable[Envelope[Event]]) -> None:
    """Announce in a transaction of its own."""
    async with db.transaction() as tx:
        await outbox.add(tx, envelopes)


class Forgetful(Publisher):
    """Publishes, then says the broker never answered: the crash between publish and delete."""

    failures = 0

    @override
    async def publish(self, records: Iterable[Outgoing]) -> None:
        await super().publish(records)
        if self.failures < 1:
            self.failures += 1
            raise Transient("the answer was lost")


async def test_a_rolled_back_transaction_announces_nothing(
    topics: Topics, database: MakeDatabase
) -> None:
    """Both or neither: state and announcement."""
    await topics.create("tickets.v1", partitions=1)
    db = Database((await database("intake")).dsn, service="test")
    publisher = Publisher(topics.bootstrap, service="test", topic_prefix=topics.prefix)
    relay = Relay(db, publisher)
    for part in (db, publisher, relay):
        await part.start()
    kept, dropped = fact(uuid4()), fact(uuid4())
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await outbox.add(tx, [dropped])
            raise ZeroDivisionError
    await announce(db, [kept])
    (record,) = await topics.wait_for("tickets.v1", 1)
    for part in (relay, publisher, db):
        await part.stop()
    assert dict(record.headers)["ce_id"] == str(kept.id).encode()


async def test_a_crash_between_publish_and_delete_repeats_the_same_ids(
    topics: Topics, database: MakeDatabase
) -> None:
    """At least once on the wire; equal ids make it once in effect, and order is kept."""
    await topics.create("tickets.v1", partitions=1)
    db = Database((await database("intake")).dsn, service="test")
    publisher = Forgetful(topics.bootstrap, service="test", topic_prefix=topics.prefix)
    relay = Relay(db, publisher)
    for part in (db, publisher, relay):
        await part.start()
    ticket_id = uuid4()
    sent = [fact(ticket_id) for _ in range(3)]
    await announce(db, sent)
    records = await topics.wait_for("tickets.v1", 6)
    for part in (relay, publisher, db):
        await part.stop()
    ids = [dict(record.headers)["ce_id"].decode() for record in records]
    assert ids == [str(one.id) for one in sent] * 2


async def test_one_relay_leads_and_another_takes_over(
    topics: Topics, database: MakeDatabase
) -> None:
    """Two relays publish each row once; when the leader goes, the other goes on."""
    await topics.create("tickets.v1", partitions=1)
    dsn = (await database("intake")).dsn
    db, other = Database(dsn, service="test"), Database(dsn, service="test")
    publisher = Publisher(topics.bootstrap, service="test", topic_prefix=topics.prefix)
    first, second = Relay(db, publisher), Relay(other, publisher)
    for part in (db, other, publisher, first, second):
        await part.start()
    await announce(db, [fact(uuid4()) for _ in range(100)])
    await topics.wait_for("tickets.v1", 100)
    await first.stop()
    await announce(other, [TICKET_DONE])
    records = await topics.wait_for("tickets.v1", 101)
    for part in (second, publisher, other, db):
        await part.stop()
    assert dict(records[-1].headers)["ce_id"] == str(TICKET_DONE.id).encode()


async def test_order_survives_a_lost_connection(topics: Topics, database: MakeDatabase) -> None:
    """The relay's connection is cut again and again; each key's order is kept."""
    await topics.create("tickets.v1", partitions=1)
    fresh = await database("intake")
    db = Database(fresh.dsn, service="test")
    publisher = Publisher(topics.bootstrap, service="test", topic_prefix=topics.prefix)
    relay = Relay(db, publisher)
    for part in (db, publisher, relay):
        await part.start()
    ticket_id = uuid4()
    sent = [fact(ticket_id) for _ in range(60)]
    for number, one in enumerate(sent):
        await announce_or_again(db, one)
        if number % 20 == 10:
            await cut_connections(fresh)
    ids = await distinct_ids(topics, len(sent))
    for part in (relay, publisher, db):
        await part.stop()
    assert ids == [str(one.id) for one in sent]


async def distinct_ids(topics: Topics, count: int) -> list[str]:
    """Read until so many different facts are there: a cut relay may publish some twice."""
    records, ids = count, list[str]()
    while len(ids) < count:
        found = await topics.wait_for("tickets.v1", records)
        ids = list(dict.fromkeys(dict(record.headers)["ce_id"].decode() for record in found))
        records += count - len(ids)
    return ids


async def announce_or_again(db: Database, one: Envelope[Event]) -> None:
    """Announce, in spite of a connection that was cut before it was used."""
    while True:
        with suppress(Transient):
            return await announce(db, [one])


async def cut_connections(fresh: FreshDatabase) -> None:
    """End every session of the service, as an administrator or a failover would."""
    owner = Database(fresh.dsn, service="cutter")
    await owner.start()
    with transient_if_unavailable("PostgreSQL"):
        async with owner.session() as session:
            await session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = current_user AND pid <> pg_backend_pid()"
            )
    await owner.stop()


TICKET_DONE: Envelope[Event] = Envelope(uuid4(), "test", NOON, TicketResolved(ticket_id=uuid4()))
