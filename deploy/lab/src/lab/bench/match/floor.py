"""The floor: transactions that write as many rows as router for as many answers, deciding none.

The lock, the claim, the released and the assigned tickets, their loads, the records of decisions
and the outbox, as straight as it goes, as durable as router.
"""

from typing import Final
from uuid import uuid4

import asyncpg

from shared.basics.clock import elapsed_s

__all__ = ["Floor"]

_MAKE: Final = """
    CREATE SCHEMA floor;
    CREATE TABLE floor.processed_event (event_id uuid PRIMARY KEY);
    CREATE TABLE floor.ticket (ticket_id uuid PRIMARY KEY, value text NOT NULL);
    CREATE TABLE floor.load (who int PRIMARY KEY, load int NOT NULL) WITH (fillfactor = 50);
    CREATE TABLE floor.decision (decision_id uuid PRIMARY KEY, record text NOT NULL);
    CREATE TABLE floor.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value bytea NOT NULL);
    INSERT INTO floor.load SELECT n, 1 FROM generate_series(0, 14999) AS n
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(1)"
_CLAIM: Final = "INSERT INTO floor.processed_event SELECT unnest($1::uuid[]) RETURNING event_id"
_TICKETS: Final = """
    INSERT INTO floor.ticket SELECT unnest($1::uuid[]), $2
    ON CONFLICT (ticket_id) DO UPDATE SET value = excluded.value
"""
_LOADS: Final = "UPDATE floor.load SET load = 1 - load WHERE who = ANY($1)"
_TICKET: Final = "x" * 400
_FACT: Final = b"x" * 300
_RECORD: Final = "x" * 1_500


class Floor:
    """Bare transactions on the same server."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._next = 0

    async def make(self) -> None:
        """Make its tables."""
        await self._connection.execute(_MAKE)

    async def taken(self, answers: int) -> float:
        """Write what so many answers come to; seconds to the end of the commit."""
        run = self._connection
        who = [(self._next + n) % 15_000 for n in range(answers)]
        self._next += answers
        began_s = elapsed_s()
        async with run.transaction():
            await run.fetch(_CLAIM, [uuid4() for _ in who])
            await run.execute(_LOCK)
            await run.execute(_TICKETS, [uuid4() for _ in range(2 * answers)], _TICKET)
            await run.execute(_LOADS, who)
            records = [(uuid4(), _RECORD) for _ in who]
            await run.copy_records_to_table("decision", records=records, schema_name="floor")
            facts = [(fact,) for _ in who for fact in (_FACT, _FACT, _RECORD.encode())]
            await run.copy_records_to_table(
                "outbox", records=facts, columns=["value"], schema_name="floor"
            )
        return elapsed_s(began_s)
