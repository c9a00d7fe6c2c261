"""One process of the baseline: the simplest pipeline step on aiokafka and asyncpg alone.

It fetches, writes one transaction (claim, rows, outbox), relays and produces, as durably as the
services: acks=all, idempotent, synchronous commit. It has no checks, decisions, health or recovery.
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

__all__ = ["MAKE", "PLANS", "READY", "BaselineProcess", "Plan", "Testbed", "opened"]

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
    """What a process reads and writes, and into which tables it inserts a row for each record.

    Records of the topic ``moved_by`` lead to rows and an event; others are only claimed.
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
    "entry": Plan((), "", ("first",), "tickets"),
}

type Fresh = tuple[UUID, bytes, bytes]
"""Event id, key, value."""


@dataclass(frozen=True, slots=True)
class Testbed:
    """The servers of a baseline; its topics' and groups' names begin with ``prefix``."""

    bootstrap: str
    dsn: str
    prefix: str


class BaselineProcess:
    """Processes records, and relays the events that follow from them."""

    def __init__(self, name: str, prefix: str, pool: asyncpg.Pool, out: AIOKafkaProducer) -> None:
        self._name = name
        self._plan = PLANS[name]
        self._prefix = prefix
        self._pool = pool
        self._out = out
        self._wake = asyncio.Event()

    async def process(self, claimed: Iterable[Fresh], moving: Iterable[Fresh]) -> None:
        """Claim records, and insert their rows and events, in one transaction."""
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
        """Fetch, process and commit, in a loop."""
        moved_by = self._prefix + self._plan.moved_by
        while True:
            found = await consumer.getmany(timeout_ms=1000, max_records=_BATCH_MAX)
            records = [record for part in found.values() for record in part]
            if records:
                claimed = [(_id(r), r.key, r.value) for r in records]
                moving = [(_id(r), r.key, r.value) for r in records if r.topic == moved_by]
                await self.process(claimed, moving)
                await consumer.commit({tp: part[-1].offset + 1 for tp, part in found.items()})

    async def relay(self) -> None:
        """Publish the outbox in order, and delete what the broker acknowledged."""
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
        """Announce due timers; poll again at once if there were any, else in 10 ms."""
        async with self._pool.acquire() as connection:
            while True:
                if await connection.execute(_FIRE, _BATCH_MAX) != "INSERT 0 0":
                    self._wake.set()
                else:
                    await _or_after(asyncio.Event(), _POLL_S)


@asynccontextmanager
async def opened(name: str, testbed: Testbed) -> AsyncIterator[BaselineProcess]:
    """Connect a process to its schema and to the broker."""
    settings = {"search_path": f'"{name}"', "synchronous_commit": "on"}
    out = AIOKafkaProducer(
        bootstrap_servers=testbed.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        max_batch_size=128 * 1024,
    )
    await out.start()
    try:
        async with asyncpg.create_pool(
            testbed.dsn, min_size=2, max_size=4, server_settings=settings
        ) as pool:
            yield BaselineProcess(name, testbed.prefix, pool, out)
    finally:
        await out.stop()


def _id(record: ConsumerRecord) -> UUID:
    return UUID(bytes=record.headers[0][1])


async def _or_after(signal: asyncio.Event, wait_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await signal.wait()


async def _live(name: str, testbed: Testbed) -> None:
    """Work until killed; no clean-up is needed."""
    async with opened(name, testbed) as process:
        works = [process.relay()]
        if name == "timer":
            works.append(process.watch())
        if topics := [testbed.prefix + topic for topic in PLANS[name].reads]:
            consumer = AIOKafkaConsumer(
                *topics,
                bootstrap_servers=testbed.bootstrap,
                group_id=testbed.prefix + name,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                isolation_level="read_committed",
            )
            await consumer.start()
            works.append(process.consume(consumer))
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await asyncio.gather(*works)


if __name__ == "__main__":
    uvloop.run(_live(sys.argv[1], Testbed(**json.loads(os.environ["BASELINE"]))))
