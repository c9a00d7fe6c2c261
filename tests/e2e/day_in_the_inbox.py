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
from tests.e2e.page_users import Lead, Seat, Specialist

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
"""What Nora does as a lead; her own calls the demo answers."""
PRESENCE: Final = {"away", "online"}
WORK: Final = {"accept", "respond", "dial", "confirm", "reclassify", "hand_back", *PRESENCE}
LOOKS_AFTER: Final = {"hand_back", "move"}


@dataclass
class Play:
    """A running `premium demo`, and what it has printed."""

    process: Process
    lines: list[str] = field(default_factory=list)
    links: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Read along until it has ended."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())
            _, labelled, link = self.lines[-1].partition(": http")
            if labelled:
                self.links.put_nowait(f"http{link}")
        code = await self.process.wait()
        self.over.set()
        said = "\n".join(self.lines)
        assert (code, "Nothing lost, nothing doubled" in said) == (0, True), said


@pytest.fixture
async def tables(stack: Stack) -> AsyncIterator[Tables]:
    """Open the stack's databases."""
    tables = Tables({name: stack.addresses.dsn(name, owner=True) for name in DATABASES})
    await tables.start()
    yield tables
    await tables.stop()


@asynccontextmanager
async def played(stack: Stack) -> AsyncIterator[Play]:
    """Play a day on the stack, and leave the two desks to people."""
    desks = [part for name in DESKS for part in ("--desk", name)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premium", "demo", "--here", "--once", *desks),
        env={**os.environ, "PREMIUM_HOME": str(stack.folder), "COLUMNS": "200"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield Play(process)
    finally:
        if process.returncode is None:
            process.send_signal(SIGINT)
            await process.wait()


async def new_page(chromium: Browser) -> Page:
    """Open a window that knows nobody."""
    context = await chromium.new_context(viewport=ViewportSize(width=1440, height=900))
    return await context.new_page()


async def deeds_of(tables: Tables, names: Sequence[str]) -> dict[str, Counter[str]]:
    """Count what router has on record of some people."""
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    for deed in (await tables.state()).actions:
        if deed.actor in found:
            found[deed.actor][deed.kind] += 1
    return found


async def shows_what_is_so(person: Specialist, lead: Lead, tables: Tables) -> None:
    """Compare both pages with the database: what lies on somebody's desk, and in their hands."""
    async with tables.databases["router"].session() as session:
        [desk] = await session.fetch(DESK, person.name)
        room = await session.fetch(ROOM, person.name)
    page = person.page
    for part, title in (("offers", "Offers"), ("mine", "Mine")):
        await expect(page.locator(f"#{part}")).to_have_text(f"{title} ({desk[part]})")
    called = await page.locator("#status strong").inner_text()
    row = lead.page.locator("#people tr", has_text=called)
    for channel, load, capacity in room:
        await expect(row).to_contain_text(f"{channel} {load}/{capacity}")


async def is_fresh(seat: Seat) -> None:
    """See that the page is live, says nothing of a lost connection, and nothing went wrong."""
    await seat.is_live()
    await expect(seat.page.locator("#banner")).to_have_text("", timeout=SETTLES_MS)
    assert seat.complaints == []


async def work_through(play: Play, specialists: Sequence[Specialist], lead: Lead) -> None:
    """Let everybody sit down by the links that the play prints, and work until it is over."""
    async with asyncio.TaskGroup() as group:
        group.create_task(play.watch())
        for seat in (*specialists, lead):
            await seat.sit_down(await play.links.get())
        for person in specialists:
            group.create_task(person.work())
        group.create_task(lead.look_after())


async def test_two_specialists_and_a_lead_work_through_a_day(
    stack: Stack, tables: Tables, chromium: Browser
) -> None:
    """What their pages said was done is on record, once each; and the proof of the day holds."""
    everybody = (*DESKS, LEAD)
    before = await deeds_of(tables, everybody)
    async with played(stack) as play:
        specialists = [
            Specialist(await new_page(chromium), play.over, by_keys=name == DESKS[0], name=name)
            for name in DESKS
        ]
        address = stack.addresses.http("router")
        lead = Lead(await new_page(chromium), play.over, address=address, people=DESKS)
        await work_through(play, specialists, lead)
    after = await deeds_of(tables, everybody)
    for person in specialists:
        kinds = Counter({k: n for k, n in person.done.items() if k not in PRESENCE})
        assert after[person.name] - before[person.name] == kinds, person.refused
    kinds = Counter({k: n for k, n in (after[LEAD] - before[LEAD]).items() if k in LEADS})
    assert kinds == lead.done, lead.refused
    assert sum((person.done for person in specialists), Counter()).keys() >= WORK
    assert lead.done.keys() >= LOOKS_AFTER

    await lead.look()
    for person in specialists:
        await shows_what_is_so(person, lead, tables)
        await expect(person.page.locator("#mine")).to_have_text("Mine (0)")
        await expect(person.page.locator("#status .presence")).to_have_text("● online")
    for seat in (*specialists, lead):
        await is_fresh(seat)
