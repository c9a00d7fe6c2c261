"""Presence in the inbox: an open page renews it, and being away lasts until it is ended."""

import asyncio
from typing import Any, Final

from playwright.async_api import Browser, Page, Route, expect
from tests.browser.inbox_server import InboxServer

from router.domain.commands import PresenceReport
from router.domain.offers.rules import Backoff, OfferRules, Ring
from router.store.offers import save_rules
from router.sweep import Sweeper
from shared.platform.postgres import now
from shared.testing.builders import a_specialist, a_ticket

FORGET: Final = "DELETE FROM presence"
REPORTED: Final = "SELECT said FROM presence"
SHOWN: Final = """
    window.shown = [];
    const note = () => {
      const text = document.querySelector("#status .presence").textContent.trim().split(/\\s+/)[1];
      if (window.shown.at(-1) !== text) window.shown.push(text);
    };
    note();
    new MutationObserver(note).observe(document.body, {childList: true, subtree: true});
"""
"""Record each change of the presence that a page shows."""
NEXT_VIEW: Final = """() => {
    window.view = new Promise((resolve) => document.addEventListener(
        "htmx:sseBeforeMessage", (event) => { if (event.target.id === "view") resolve(); }));
}"""
"""Resolve `window.view` when the stream has brought the page's next change."""
QUICKLY: Final = OfferRules(
    rings={"phone": Ring(cap_s=0.2, minimum_s=0.2)}, no_answer_s=Backoff(first=600, most=600)
)


async def send_heartbeat(desk: InboxServer, name: str, presence: Any) -> None:  # noqa: ANN401 - a word
    """Send a heartbeat as another system does."""
    async with desk.db.transaction() as tx:
        await desk.routing.report_presence(tx, PresenceReport(name, presence), await now(tx))


def presence(page: Page) -> Any:  # noqa: ANN401 - a locator
    """Return the locator of the page owner's presence."""
    return page.locator("#status .presence")


async def test_a_page_never_shows_an_older_presence_after_a_newer(
    desk: InboxServer, chromium: Browser
) -> None:
    """A change that was read before going away is shown before it, or not at all."""
    await desk.handle(a_specialist("ann", capacity={"email": 3}))
    page = await desk.page_of(chromium, "ann")
    await page.evaluate(SHOWN)
    sent, may_go = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        sent.set()
        await may_go.wait()
        await route.continue_()

    await page.route("**/inbox/presence", hold)
    await page.keyboard.press("w")
    await sent.wait()
    await page.evaluate(NEXT_VIEW)
    await desk.handle(a_ticket("T1", account_id="acme"))
    await page.evaluate("window.view")
    may_go.set()
    await expect(page.locator("#said")).to_contain_text("You are away")
    await expect(presence(page)).to_have_text("◐ away")
    await expect(page.locator("#mine")).to_have_text("Mine (1)")
    assert await page.evaluate("window.shown") == ["online", "away"]


async def test_the_leads_page_renews_presence(desk: InboxServer, chromium: Browser) -> None:
    """Like any open page: a lead keeps their own tickets, too."""
    await desk.handle(a_specialist("lea"))
    page = await desk.page_of(chromium, "lea", lead=True)
    await page.goto("about:blank")
    async with desk.db.session() as session:
        await session.execute(FORGET)
    await page.goto(f"{desk.address}/inbox/lead")
    await page.wait_for_selector("body[data-live=live]")
    async with desk.db.session() as session:
        assert await session.fetchval(REPORTED) == "online"
    await expect(presence(page)).to_have_text("● online")


async def test_a_page_renews_the_presence_of_its_visitor(
    desk: InboxServer, chromium: Browser
) -> None:
    """Not of the specialist whose page a lead has opened."""
    await desk.handle(a_specialist("lea"), a_specialist("ann"))
    page = await desk.page_of(chromium, "lea", lead=True)
    await page.goto("about:blank")
    async with desk.db.session() as session:
        await session.execute(FORGET)
    await page.goto(f"{desk.address}/inbox?of=ann")
    await page.wait_for_selector("body[data-live=live]")
    async with desk.db.session() as session:
        rows = await session.fetch("SELECT specialist_id, said FROM presence")
    assert [tuple(row) for row in rows] == [("lea", "online")]


async def test_away_outlasts_pages_and_heartbeats(desk: InboxServer, chromium: Browser) -> None:
    """Neither a page opened again nor another system's heartbeat ends it; a click does."""
    await desk.handle(a_specialist("ann"))
    page = await desk.page_of(chromium, "ann")
    await page.keyboard.press("w")
    await expect(presence(page)).to_have_text("◐ away")
    await page.goto("about:blank")
    await send_heartbeat(desk, "ann", "offline")
    await send_heartbeat(desk, "ann", "online")
    await page.goto(f"{desk.address}/inbox")
    await page.wait_for_selector("body[data-live=live]")
    await expect(presence(page)).to_have_text("◐ away")
    await page.keyboard.press("w")
    await expect(page.locator("#said")).to_contain_text("You are online")
    await expect(presence(page)).to_have_text("● online")


async def test_a_heartbeat_of_another_system_shows_at_once(
    desk: InboxServer, chromium: Browser
) -> None:
    """On an open page, without a reload."""
    await desk.handle(a_specialist("ann"))
    page = await desk.page_of(chromium, "ann")
    await expect(presence(page)).to_have_text("● online")
    await send_heartbeat(desk, "ann", "away")
    await expect(presence(page)).to_have_text("◐ away")


async def test_three_unanswered_offers_show_on_the_page_until_a_click(
    desk: InboxServer, chromium: Browser
) -> None:
    """The specialist's page shows why they are away; the lead's, that the ticket has no answer."""
    await desk.handle(a_specialist("ann", auto_ring=False), a_specialist("lea", capacity={}))
    async with desk.db.transaction() as tx:
        await save_rules(tx, QUICKLY)
    page = await desk.page_of(chromium, "ann")
    lead = await desk.page_of(chromium, "lea", lead=True, path="/inbox/lead")
    for number, account in enumerate(("acme", "initech", "hooli")):
        ticket = a_ticket(f"T{number}", channel="phone", account_id=account, after_min=number)
        await desk.handle(ticket)
    sweeper = Sweeper(desk.db, desk.routing)
    await sweeper.start()
    try:
        await expect(page.locator("#set-away")).to_contain_text(
            "You were set away after 3 missed offers in a row"
        )
    finally:
        await sweeper.stop()
    await expect(presence(page)).to_have_text("◐ away")
    await expect(lead.locator("#unanswered")).to_contain_text("hooli")
    await expect(lead.locator("#people tr", has_text="Ann")).to_contain_text("◐ away")
    await lead.locator("#unanswered a", has_text="hooli").click()
    await expect(lead.locator("#pane")).to_contain_text(
        "Ann was set away after 3 missed offers in a row"
    )
    await page.keyboard.press("w")
    await expect(presence(page)).to_have_text("● online")
    await expect(page.locator("#set-away")).to_have_text("")
    await expect(page.locator("#offers")).to_have_text("Offers (1)")
