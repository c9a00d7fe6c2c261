"""Every page of the inbox in every state that it was designed for."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from playwright.async_api import Browser, Page
from tests.browser.inbox_server import InboxServer

from shared.events import ClockPaused, CustomerReplied, TicketResolved, TicketResponded
from shared.sla.promises import Channel
from shared.testing.builders import a_clock, a_fact, a_specialist, a_ticket

__all__ = ["STATES", "a_busy_day"]

type State = Callable[[InboxServer, Browser], Awaitable[Page]]

BERLIN: Final = {"zone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}
NIGHT: Final = {"zone": "Asia/Tokyo", "hours": {"mon-fri": ["09:00-18:00"]}}
MINE: Final = "#lists section:has(#mine) [data-row] > a"


async def a_busy_day(desk: InboxServer) -> None:
    """Give mara some tickets of every kind, fill jonas, and let one ticket wait."""
    room: dict[Channel, int] = {"email": 4, "phone": 1, "chat": 1}
    await desk.handle(
        a_specialist("mara", capacity=room, shifts=BERLIN, team="emea"),
        a_ticket("done", account_id="northwind", after_min=-30),
        a_ticket("answered", account_id="initech", after_min=-25),
    )
    await desk.handle(
        a_fact(TicketResponded, "done", after_min=-12),
        a_fact(TicketResolved, "done", after_min=-8),
        a_fact(TicketResponded, "answered", after_min=-4),
    )
    await desk.handle(
        a_ticket("over", account_id="umbrella", after_min=-64),
        a_ticket("critical", account_id="northwind", severity="business_critical", after_min=-25),
        a_ticket("plain", account_id="acme"),
        a_ticket("seat", account_id="globex", role="seat"),
        a_ticket("call", account_id="hooli", channel="phone"),
        a_specialist("jonas", languages=("de",), capacity={"email": 1}, team="emea"),
        a_ticket("german", account_id="stark", language="de-AT"),
        a_ticket("waits", account_id="wayne", language="de", severity="business_critical"),
        a_ticket("stuck", account_id="soylent", language="ja", channel="phone"),
        a_specialist("yui", languages=("ja",), shifts=NIGHT),
        a_specialist("lea", presence="away", capacity={"email": 2}),
    )


async def _empty(desk: InboxServer, browser: Browser) -> Page:
    await desk.handle(a_specialist("mara"))
    return await desk.page_of(browser, "mara")


async def _busy(desk: InboxServer, browser: Browser) -> Page:
    await a_busy_day(desk)
    return await desk.page_of(browser, "mara")


async def _ticket(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await page.locator(MINE, has_text="northwind").click()
    await page.get_by_text("Timeline").wait_for()
    await page.keyboard.press("h")
    await page.get_by_role("button", name="Shift ends").wait_for()
    return page


async def _details_away(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await page.locator(MINE, has_text="acme").click()
    await page.get_by_text("Timeline").wait_for()
    await page.keyboard.press("s")
    await page.get_by_text("The inbox has no key to intake").wait_for()
    return page


async def _done(desk: InboxServer, browser: Browser) -> Page:
    page = await _ticket(desk, browser)
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await page.get_by_text("Confirmed;").wait_for()
    return page


async def _replied(desk: InboxServer, browser: Browser) -> Page:
    """One answered ticket is back after a reply, and another waits for the customer."""
    page = await _busy(desk, browser)
    await desk.handle(
        a_fact(TicketResponded, "seat", after_min=1),
        a_fact(CustomerReplied, "answered", after_min=1),
        a_clock(ClockPaused, "plain", after_min=1),
    )
    await page.get_by_text("paused: nothing is due").first.wait_for()
    await page.locator(MINE, has_text="customer replied").click()
    await page.get_by_text("Timeline").wait_for()
    return page


async def _call(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await page.get_by_text("Accepted;").wait_for()
    await page.locator(MINE, has_text="hooli").click()
    await page.get_by_text("Timeline").wait_for()
    await page.keyboard.press("l")
    await page.get_by_role("button", name="No answer").click()
    await page.get_by_text("Noted: no answer.").wait_for()
    return page


async def _keys(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    return page


async def _stale(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await desk.stop()
    await page.wait_for_selector("body[data-live=stale]")
    return page


async def _new_rows(desk: InboxServer, browser: Browser) -> Page:
    page = await _busy(desk, browser)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await desk.handle(a_fact(TicketResponded, "seat", after_min=2))
    await desk.handle(a_ticket("new", account_id="tyrell", after_min=1))
    await page.get_by_role("button", name="1 new").wait_for()
    return page


async def _lead(desk: InboxServer, browser: Browser) -> Page:
    await a_busy_day(desk)
    page = await desk.page_of(browser, "lea", lead=True, path="/inbox/lead")
    await page.locator("[data-row] > a", has_text="wayne").click()
    await page.get_by_text("Timeline").wait_for()
    await page.keyboard.press("m")
    await page.get_by_role("button", name="Pin", exact=True).wait_for()
    return page


async def _lead_empty(desk: InboxServer, browser: Browser) -> Page:
    await desk.handle(a_specialist("lea"))
    return await desk.page_of(browser, "lea", lead=True, path="/inbox/lead?language=ja")


async def _denied(desk: InboxServer, browser: Browser) -> Page:
    page = await _empty(desk, browser)
    await page.goto(f"{desk.address}/inbox/lead")
    return page


async def _signed_out(desk: InboxServer, browser: Browser) -> Page:
    page = await _empty(desk, browser)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out").wait_for()
    return page


async def _link(desk: InboxServer, browser: Browser) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.goto(await desk.link("mara", lead=True))
    return page


async def _spent_link(desk: InboxServer, browser: Browser) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{desk.address}/sign-in/link/used-up")
    return page


STATES: Final[Mapping[str, State]] = {
    "inbox-empty": _empty,
    "inbox": _busy,
    "inbox-ticket": _ticket,
    "inbox-details-away": _details_away,
    "inbox-done": _done,
    "inbox-replied": _replied,
    "inbox-call": _call,
    "inbox-keys": _keys,
    "inbox-stale": _stale,
    "inbox-new-rows": _new_rows,
    "lead": _lead,
    "lead-empty": _lead_empty,
    "denied": _denied,
    "signed-out": _signed_out,
    "link": _link,
    "link-spent": _spent_link,
}
