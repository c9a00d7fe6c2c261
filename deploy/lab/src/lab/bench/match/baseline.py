"""The baseline: transactions that write the same number of rows as router, without decisions.

They write the claims, the released and the assigned tickets, loads, decision records and outbox
under the same lock, as durably as router.
"""

from typing import Final
from uuid import uuid4

import asyncpg

from shared.basics.clock import elapsed_s

__all__ = ["Baseline"]

_MAKE: Final = """
    CREATE SCHEMA baseline;
    CREATE TABLE baseline.processed_event (event_id uuid PRIMARY KEY);
    CREATE TABLE baseline.ticket (ticket_id uuid PRIMARY KEY, value text NOT NULL);
    CREATE TABLE baseline.load (who int PRIMARY KEY, load int NOT NULL) WITH (fillfactor = 50);
    CREATE TABLE baseline.decision (decision_id uuid PRIMARY KEY, record text NOT NULL);
    CREATE TABLE baseline.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value bytea NOT NULL);
    INSERT INTO baseline.load SELECT n, 1 FROM generate_series(0, 14999) AS n
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(1)"
_CLAIM: Final = "INSERT INTO baseline.processed_event SELECT unnest($1::uuid[]) RETURNING event_id"
_TICKETS: Final = """
    INSERT INTO baseline.ticket SELECT unnest($1::uuid[]), $2
    ON CONFLICT (ticket_id) DO UPDATE SET value = excluded.value
"""
_LOADS: Final = "UPDATE baseline.load SET load = 1 - load WHERE who = ANY($1)"
_TICKET: Final = "x" * 400
_FACT: Final = b"x" * 300
_RECORD: Final = "x" * 1_500


class Baseline:
    """Runs bare transactions on the same server."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._next = 0

    async def make(self) -> None:
        """Create the tables."""
        await self._connection.execute(_MAKE)

    async def write(self, answers: int) -> float:
        """Write the rows of ``answers`` answers; return the seconds until the commit."""
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
            await run.copy_records_to_table("decision", records=records, schema_name="baseline")
            facts = [(fact,) for _ in who for fact in (_FACT, _FACT, _RECORD.encode())]
            await run.copy_records_to_table(
                "outbox", records=facts, columns=["value"], schema_name="baseline"
            )
        return elapsed_s(began_s)
