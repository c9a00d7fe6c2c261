"""The demo's business time is the same in PostgreSQL as in the demo."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from lab.demo.time_scale import TimeScale
from shared.testing.servers import Servers

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(seconds=40)


@pytest.mark.parametrize("elapsed_s", [-5, 0, 1, 12.5, 30, 39, 100])
@pytest.mark.parametrize("latency_ms", [1, 80, 5000])
async def test_both_read_the_same_time(servers: Servers, elapsed_s: float, latency_ms: int) -> None:
    """This holds in every phase, before and after the day, on fast and slow machines."""
    db = await asyncpg.connect(servers.postgres_dsn)
    async with db.transaction():
        real = await db.fetchval("SELECT now()")
        began = real - timedelta(seconds=elapsed_s)
        scale = TimeScale.of_a_day(MIDNIGHT, began, DAY)
        scale = scale.slowed(began + DAY / 8, timedelta(milliseconds=latency_ms))
        business = await db.fetchval(f"SELECT {scale.sql()}")
    await db.close()
    assert abs(business - scale.business_at(real)) < timedelta(seconds=0.1)
