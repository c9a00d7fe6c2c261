"""The demo's business time is the same in PostgreSQL as in the demo."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from lab.demo.pace import Pace
from shared.testing.servers import Servers

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(seconds=40)


@pytest.mark.parametrize("played_s", [-5, 0, 1, 12.5, 30, 39, 100])
@pytest.mark.parametrize("latency_ms", [1, 80, 5000])
async def test_both_read_the_same_time(servers: Servers, played_s: float, latency_ms: int) -> None:
    """In every scene, before the play and after it, on a fast machine and on a slow one."""
    db = await asyncpg.connect(servers.postgres_dsn)
    async with db.transaction():
        real = await db.fetchval("SELECT now()")
        began = real - timedelta(seconds=played_s)
        pace = Pace.of_a_day(MIDNIGHT, began, DAY)
        pace = pace.braked(began + DAY / 8, timedelta(milliseconds=latency_ms))
        business = await db.fetchval(f"SELECT {pace.sql()}")
    await db.close()
    assert abs(business - pace.business_at(real)) < timedelta(seconds=0.1)
