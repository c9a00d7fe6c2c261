"""One stage of the floor as a process: aiokafka and asyncpg alone, as straight as it goes.

Fetch, one transaction (inbox, rows, outbox), relay, produce, as durable as the services: acks=all,
idempotent, synchronous commit. No checks, no decisions, no health, no recovery, nothing shared.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

__all__ = ["MAKE", "PLANS", "READY", "Ground", "Plan", "Stage", "opened"]

READY: Final = "ready"
_BATCH_MAX: Final = 500
_RELAY_MAX: Final = 1000
_POLL_S: Final = 0.01
_IDLE_S: Final = 0.25

MAKE: Final = """
    CREATE TABLE processed_event (event_id uuid PRIMARY KEY);
    CREATE TABLE first (id uuid PRIMARY KEY, value bytea NOT NULL);
    CREATE TABLE second (id uuid PRIMARY KEY, value bytea NOT NULL);
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL, key bytea NOT NULL, value bytea NOT NULL);
    CREATE TABLE timer (id uuid PRIMARY KEY, value bytea NOT NULL, due_at timestamptz);
    CREATE INDEX timer_due_at ON timer (due_at) WHERE due_at IS NOT NULL;
"""
_CLAIM: Final = """
    INSERT INTO processed_event SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING event_id
"""
_ROWS: Final = {
    name: f"INSERT INTO {name} SELECT unnest($1::uuid[]), unnest($2::bytea[])"
    for name in ("first", "second")
}
_ANNOUNCE: Final = """
    INSERT INTO outbox (event_id, key, value)
    SELECT unnest($1::uuid[]), unnest($2::bytea[]), unnest($3::bytea[])
"""
_OLDEST: Final = "SELECT id, event_id, key, value FROM outbox ORDER BY id LIMIT $1"
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_FIRE: Final = """
    WITH due AS (
        SELECT id FROM timer WHERE due_at <= now()
        ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE timer SET due_at = NULL FROM due WHERE timer.id = due.id
        RETURNING timer.id, timer.value
    )
    INSERT INTO outbox (event_id, key, value) SELECT id, id::text::bytea, value FROM fired
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stage reads and writes, and into how many tables it puts a row.

    ``moved_by`` is the topic whose records give rise to rows and an event; others are only claimed.
    """

    reads: tuple[str, ...]
    moved_by: str
    tables: tuple[str, ...]
    writes: str


PLANS: Final = {
    "intake": Plan(("inbound",), "inbound", ("first",), "tickets"),
    "router": Plan(("tickets",), "tickets", ("first", "second"), "assignments"),
    "sla-monitor": Plan(("tickets",), "tickets", ("first", "second"), "clocks"),
    "notifier": Plan(("assignments", "clocks"), "assignments", ("first", "second"), "sent"),
    "timer": Plan((), "", (), "breaches"),
    "door": Plan((), "", ("first",), "tickets"),
}

type Fresh = tuple[UUID, bytes, bytes]
"""Event id, key, value."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a floor stands; the names of its topics and groups begin with ``prefix``."""

    bootstrap: str
    dsn: str
    prefix: str


class Stage:
    """Takes records in and relays what they give rise to."""

    def __init__(self, name: str, prefix: str, pool: asyncpg.Pool, out: AIOKafkaProducer) -> None:
        self._name = name
        self._plan = PLANS[name]
        self._prefix = prefix
        self._pool = pool
        self._out = out
        self._wake = asyncio.Event()

    async def take(self, claimed: Iterable[Fresh], moving: Iterable[Fresh]) -> None:
        """Claim, put the rows, announce: one transaction."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_CLAIM, sorted(event_id for event_id, _, _ in claimed))
            fresh = {row["event_id"] for row in rows}
            moved = [one for one in moving if one[0] in fresh]
            if moved:
                ids = [uuid5(event_id, self._name) for event_id, _, _ in moved]
                keys, values = [key for _, key, _ in moved], [value for _, _, value in moved]
                for table in self._plan.tables:
                    await connection.execute(_ROWS[table], ids, values)
                await connection.execute(_ANNOUNCE, ids, keys, values)
        self._wake.set()

    async def consume(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch, take, commit, again."""
        moved_by = self._prefix + self._plan.moved_by
        while True:
            found = await consumer.getmany(timeout_ms=1000, max_records=_BATCH_MAX)
            records = [record for part in found.values() for record in part]
            if records:
                claimed = [(_id(r), r.key, r.value) for r in records]
                moving = [(_id(r), r.key, r.value) for r in records if r.topic == moved_by]
                await self.take(claimed, moving)
                await consumer.commit({tp: part[-1].offset + 1 for tp, part in found.items()})

    async def relay(self) -> None:
        """Publish the outbox in order, and delete what the broker has."""
        topic = self._prefix + self._plan.writes
        async with self._pool.acquire() as connection:
            while True:
                self._wake.clear()
                rows = await connection.fetch(_OLDEST, _RELAY_MAX)
                if not rows:
                    await _or_after(self._wake, _IDLE_S)
                    continue
                sent = [
                    await self._out.send(
                        topic, row["value"], row["key"], headers=[("id", row["event_id"].bytes)]
                    )
                    for row in rows
                ]
                await asyncio.gather(*sent)
                await connection.execute(_DELETE, [row["id"] for row in rows])

    async def watch(self) -> None:
        """Fire what is due, and look again at once or in ten milliseconds."""
        async with self._pool.acquire() as connection:
            while True:
                if await connection.execute(_FIRE, _BATCH_MAX) != "INSERT 0 0":
                    self._wake.set()
                else:
                    await _or_after(asyncio.Event(), _POLL_S)


@asynccontextmanager
async def opened(name: str, ground: Ground) -> AsyncIterator[Stage]:
    """Connect a stage to its schema and to the broker."""
    settings = {"search_path": f'"{name}"', "synchronous_commit": "on"}
    out = AIOKafkaProducer(
        bootstrap_servers=ground.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        max_batch_size=128 * 1024,
    )
    await out.start()
    try:
        async with asyncpg.create_pool(
            ground.dsn, min_size=2, max_size=4, server_settings=settings
        ) as pool:
            yield Stage(name, ground.prefix, pool, out)
    finally:
        await out.stop()


def _id(record: ConsumerRecord) -> UUID:
    return UUID(bytes=record.headers[0][1])


async def _or_after(signal: asyncio.Event, wait_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await signal.wait()


async def _live(name: str, ground: Ground) -> None:
    """Work until killed; nothing needs a farewell."""
    async with opened(name, ground) as stage:
        works = [stage.relay()]
        if name == "timer":
            works.append(stage.watch())
        if topics := [ground.prefix + topic for topic in PLANS[name].reads]:
            consumer = AIOKafkaConsumer(
                *topics,
                bootstrap_servers=ground.bootstrap,
                group_id=ground.prefix + name,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                isolation_level="read_committed",
            )
            await consumer.start()
            works.append(stage.consume(consumer))
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await asyncio.gather(*works)


if __name__ == "__main__":
    uvloop.run(_live(sys.argv[1], Ground(**json.loads(os.environ["FLOOR"]))))
