"""The demo's agenda: everything is done once, when it is due, and nothing is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from lab.demo.agenda import Agenda

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def seconds_to(self, moment: datetime) -> float:
        """Say how far off a moment is."""
        return (moment - self.now).total_seconds()


async def test_tasks_are_done_in_the_order_of_their_moments() -> None:
    """However they were planned; what lies ahead waits."""
    clock, done = Clock(), asyncio.Queue[int]()
    agenda = Agenda(clock.seconds_to)
    for number in (2, 1, 3):
        agenda.add(NOON + (number - 3) * HOUR, partial(done.put, number))
    agenda.add(NOON + HOUR, partial(done.put, 4))
    working = asyncio.create_task(agenda.run())
    assert [await done.get() for _ in range(3)] == [1, 2, 3]
    assert not agenda.is_done()
    clock.now += HOUR
    agenda.add(NOON, partial(done.put, 5))
    assert {await done.get(), await done.get()} == {4, 5}
    assert agenda.is_done()
    working.cancel()


async def test_it_is_not_done_while_something_is_in_hand() -> None:
    """A request that is being sent may still bring more to do."""
    agenda, asked = Agenda(Clock().seconds_to), asyncio.Event()

    async def ask() -> None:
        asked.set()
        await asyncio.Event().wait()

    agenda.add(NOON, ask)
    working = asyncio.create_task(agenda.run())
    await asked.wait()
    assert not agenda.is_done()
    working.cancel()


async def test_a_task_that_fails_ends_the_play() -> None:
    """An error is not swallowed by the hands."""
    agenda = Agenda(Clock().seconds_to)

    async def fail() -> None:
        raise ZeroDivisionError

    agenda.add(NOON, fail)
    with pytest.raises(ExceptionGroup) as failure:
        await agenda.run()
    assert failure.group_contains(ZeroDivisionError)
