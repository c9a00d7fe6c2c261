"""Two specialists and their lead at the inbox, in Chromium, through a whole day of the demo."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from signal import SIGINT
from typing import Final

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect
from tests.e2e.page_users import Lead, PageUser, Specialist

from devstack.databases import DATABASES
from devstack.stack import Stack
from lab.proof.tables import Tables

DESKS: Final = ("jonas.weber", "mara.kowalski")
LEAD: Final = "nora.lindqvist"
SETTLES_MS: Final = 60_000
DESK: Final = """
    SELECT (SELECT count(*) FROM offer WHERE state = 'open' AND specialist_id = $1) AS offers,
           (SELECT count(*) FROM ticket WHERE specialist_id = $1) AS mine
"""
ROOM: Final = """
    SELECT channel, load, capacity FROM capacity
    WHERE specialist_id = $1 AND capacity > 0 ORDER BY channel
"""
LEADS: Final = {"hand_back", "move", "pin", "unpin"}
"""Nora's actions as a lead; the demo answers her own tickets."""
PRESENCE: Final = {"away", "online"}
WORK: Final = {"accept", "respond", "dial", "confirm", "reclassify", "hand_back", *PRESENCE}
SUPERVISION: Final = {"hand_back", "move"}


@dataclass
class RunningDemo:
    """A running `premium demo`, and what it has printed."""

    process: Process
    lines: list[str] = field(default_factory=list)
    links: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Read the output until the process ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())
            _, labelled, link = self.lines[-1].partition(": http")
            if labelled:
                self.links.put_nowait(f"http{link}")
        code = await self.process.wait()
        self.over.set()
        output = "\n".join(self.lines)
        assert (code, "Nothing lost, nothing doubled" in output) == (0, True), output


@pytest.fixture
async def tables(stack: Stack) -> AsyncIterator[Tables]:
    """Open the stack's databases."""
    tables = Tables({name: stack.addresses.dsn(name, owner=True) for name in DATABASES})
    await tables.start()
    yield tables
    await tables.stop()


@asynccontextmanager
async def finished(stack: Stack) -> AsyncIterator[RunningDemo]:
    """Run a day on the stack, and leave two specialists to people."""
    desks = [part for name in DESKS for part in ("--desk", name)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premium", "demo", "--here", "--once", *desks),
        env={**os.environ, "PREMIUM_HOME": str(stack.folder), "COLUMNS": "200"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield RunningDemo(process)
    finally:
        if process.returncode is None:
            process.send_signal(SIGINT)
            await process.wait()


async def new_page(chromium: Browser) -> Page:
    """Open a new browser window without a session."""
    context = await chromium.new_context(viewport=ViewportSize(width=1440, height=900))
    return await context.new_page()


async def actions_of(tables: Tables, names: Sequence[str]) -> dict[str, Counter[str]]:
    """Count the actions of some people in router's tables."""
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    for action in (await tables.state()).actions:
        if action.actor in found:
            found[action.actor][action.kind] += 1
    return found


async def pages_match_database(person: Specialist, lead: Lead, tables: Tables) -> None:
    """Compare both pages with the database: offers, tickets and load of a specialist."""
    async with tables.databases["router"].session() as session:
        [counts] = await session.fetch(DESK, person.name)
        room = await session.fetch(ROOM, person.name)
    page = person.page
    for part, title in (("offers", "Offers"), ("mine", "Mine")):
        await expect(page.locator(f"#{part}")).to_have_text(f"{title} ({counts[part]})")
    called = await page.locator("#status strong").inner_text()
    row = lead.page.locator("#people tr", has_text=called)
    for channel, load, capacity in room:
        await expect(row).to_contain_text(f"{channel} {load}/{capacity}")


async def is_live_without_errors(user: PageUser) -> None:
    """Check that the page is live, without a warning or an error."""
    await user.is_live()
    await expect(user.page.locator("#banner")).to_have_text("", timeout=SETTLES_MS)
    assert user.complaints == []


async def work_through(demo: RunningDemo, specialists: Sequence[Specialist], lead: Lead) -> None:
    """Sign all users in by the printed links, and work until the day is over."""
    async with asyncio.TaskGroup() as group:
        group.create_task(demo.watch())
        for user in (*specialists, lead):
            await user.sign_in(await demo.links.get())
        for person in specialists:
            group.create_task(person.work())
        group.create_task(lead.supervise())


async def test_two_specialists_and_a_lead_work_through_a_day(
    stack: Stack, tables: Tables, chromium: Browser
) -> None:
    """Each action that a page confirmed is in router's tables once, and the demo's proof passes."""
    people = (*DESKS, LEAD)
    before = await actions_of(tables, people)
    async with finished(stack) as demo:
        specialists = [
            Specialist(await new_page(chromium), demo.over, by_keys=name == DESKS[0], name=name)
            for name in DESKS
        ]
        address = stack.addresses.http("router")
        lead = Lead(await new_page(chromium), demo.over, address=address, people=DESKS)
        await work_through(demo, specialists, lead)
    after = await actions_of(tables, people)
    for person in specialists:
        kinds = Counter({k: n for k, n in person.done.items() if k not in PRESENCE})
        assert after[person.name] - before[person.name] == kinds, person.refused
    kinds = Counter({k: n for k, n in (after[LEAD] - before[LEAD]).items() if k in LEADS})
    assert kinds == lead.done, lead.refused
    assert sum((person.done for person in specialists), Counter()).keys() >= WORK
    assert lead.done.keys() >= SUPERVISION

    await lead.look()
    for person in specialists:
        await pages_match_database(person, lead, tables)
        await expect(person.page.locator("#mine")).to_have_text("Mine (0)")
        await expect(person.page.locator("#status .presence")).to_have_text("● online")
    for user in (*specialists, lead):
        await is_live_without_errors(user)
