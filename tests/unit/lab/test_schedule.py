"""The demo's schedule runs every task once, when it is due."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from lab.demo.schedule import Schedule

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def seconds_to(self, moment: datetime) -> float:
        """Return the seconds until a time."""
        return (moment - self.now).total_seconds()


async def test_tasks_run_in_the_order_of_their_times() -> None:
    """The order of scheduling does not matter; later tasks wait."""
    clock, done = Clock(), asyncio.Queue[int]()
    schedule = Schedule(clock.seconds_to)
    for number in (2, 1, 3):
        schedule.add(NOON + (number - 3) * HOUR, partial(done.put, number))
    schedule.add(NOON + HOUR, partial(done.put, 4))
    working = asyncio.create_task(schedule.run())
    assert [await done.get() for _ in range(3)] == [1, 2, 3]
    assert not schedule.is_done()
    clock.now += HOUR
    schedule.add(NOON, partial(done.put, 5))
    assert {await done.get(), await done.get()} == {4, 5}
    assert schedule.is_done()
    working.cancel()


async def test_it_is_not_done_while_a_task_runs() -> None:
    """A running task may schedule further ones."""
    schedule, asked = Schedule(Clock().seconds_to), asyncio.Event()

    async def ask() -> None:
        asked.set()
        await asyncio.Event().wait()

    schedule.add(NOON, ask)
    working = asyncio.create_task(schedule.run())
    await asked.wait()
    assert not schedule.is_done()
    working.cancel()


async def test_a_failed_task_ends_the_schedule() -> None:
    """The workers do not hide an error."""
    schedule = Schedule(Clock().seconds_to)

    async def fail() -> None:
        raise ZeroDivisionError

    schedule.add(NOON, fail)
    with pytest.raises(ExceptionGroup) as failure:
        await schedule.run()
    assert failure.group_contains(ZeroDivisionError)
