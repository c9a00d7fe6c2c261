"""The inbox in real browsers: keyboard only, several users, repeated clicks, lost connections."""

import asyncio
from typing import Any, Final

from playwright.async_api import Browser, Page, Request, Route, expect
from tests.browser.inbox_server import InboxServer
from tests.browser.router.page_states import a_busy_day

from shared.events import TicketResponded
from shared.testing.builders import a_fact, a_specialist, a_ticket

HELD: Final = "SELECT count(*) FROM ticket WHERE specialist_id = $1"
COMMANDS: Final = "SELECT kind, actor FROM act ORDER BY act_id"
REPORTED: Final = "SELECT said FROM presence"
BYTES_MAX: Final = 150_000


async def read(desk: InboxServer, statement: str, *args: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    async with desk.db.session() as session:
        return [tuple(row) for row in await session.fetch(statement, *args)]


def row(page: Page, account: str) -> Any:  # noqa: ANN401 - a locator
    """Return the locator of an account's row."""
    return page.locator("[data-row]", has_text=account)


async def press(page: Page, *keys: str) -> None:
    """Press one key after another."""
    for key in keys:
        await page.keyboard.press(key)


async def test_a_day_needs_no_mouse(desk: InboxServer, chromium: Browser) -> None:
    """Accept, open, confirm, respond, hand back, go away and come back with keys only."""
    await a_busy_day(desk)
    page = await desk.page_of(chromium, "mara")
    await press(page, "j", "a")
    await expect(page.locator("#said")).to_contain_text("Accepted; Mara has it.")
    await expect(page.locator("#offers")).to_have_text("Offers (0)")
    await press(page, "j")
    while "northwind" not in await page.evaluate("document.activeElement.textContent"):
        await press(page, "j")
    await press(page, "Enter")
    await expect(page.locator("#pane")).to_contain_text("first response, guarantee, 30 min")
    await press(page, "c")
    await expect(page.locator("#pane .answer")).to_contain_text("Confirmed; Mara has it.")
    await press(page, "r")
    await expect(page.locator("#pane .answer")).to_contain_text("nothing more is owed")
    await expect(page.locator("#waiting")).to_contain_text("northwind")
    await page.goto(page.url.partition("?")[0])
    await page.wait_for_selector("body[data-live=live]")
    await press(page, "j", "Enter")
    await expect(page.locator("#pane header")).to_be_visible()
    await press(page, "h")
    await expect(page.get_by_role("button", name="Not my field").last).to_be_focused()
    await press(page, "Enter")
    await expect(page.locator("#pane")).to_contain_text("Handed back;")
    await press(page, "w")
    await expect(page.locator("#said")).to_contain_text("You are away")
    await expect(page.locator("#status .presence")).to_have_text("◐ away")
    await press(page, "w")
    await expect(page.locator("#said")).to_contain_text("You are online")
    kinds = [kind for kind, _ in await read(desk, COMMANDS)]
    assert kinds == ["accept", "confirm", "respond", "hand_back"]


async def test_shortcuts_can_be_switched_off(desk: InboxServer, chromium: Browser) -> None:
    """For instance by users who dictate: letters then have no effect."""
    await a_busy_day(desk)
    page = await desk.page_of(chromium, "mara")
    await press(page, "?")
    await page.get_by_label("Letters act").uncheck()
    await press(page, "Escape", "j", "a")
    await page.reload()
    await page.wait_for_selector("body[data-live=live]")
    await press(page, "j", "a")
    await expect(page.locator("#offers")).to_have_text("Offers (1)")
    assert await read(desk, COMMANDS) == []


async def test_two_specialists_and_a_lead_see_each_others_commands(
    desk: InboxServer, chromium: Browser
) -> None:
    """At once: a declined ticket rings at the other; the lead's move changes both pages."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", account_id="acme"), a_specialist("ben"))
    ann = await desk.page_of(chromium, "ann")
    ben = await desk.page_of(chromium, "ben")
    await expect(row(ann, "acme")).to_be_visible()
    lead = await desk.page_of(chromium, "ben", lead=True, path="/inbox/lead")
    await expect(lead.locator("#people tr", has_text="Ann")).to_contain_text("email 1/1 full")
    await row(ann, "acme").locator("a").click()
    await expect(ann.locator("#pane header")).to_be_visible()
    await press(ann, "d")
    await ann.get_by_role("button", name="No room now").click()
    await expect(ann.locator("#pane")).to_contain_text("Declined; Ben has it.")
    await expect(row(ben, "acme")).to_be_visible()
    await expect(row(ann, "acme")).to_have_count(0)
    await expect(lead.locator("#people tr", has_text="Ben")).to_contain_text("email 1/1 full")
    await expect(lead.locator("#people tr", has_text="Ann")).to_contain_text("email 0/1")
    ticket = (await ben.locator("[data-open]").get_attribute("data-open")) or ""
    await lead.goto(f"{desk.address}/inbox/lead?ticket={ticket}")
    await lead.wait_for_selector("body[data-live=live]")
    await press(lead, "m")
    await lead.locator("#pane select[name=to]").select_option("ann")
    await lead.get_by_role("button", name="Move", exact=True).click()
    await expect(lead.locator("#pane .answer")).to_contain_text("Moved; Ann has it.")
    await expect(lead.locator("#pane")).to_contain_text("Ben moved it to Ann")
    await expect(row(ann, "acme")).to_be_visible()
    await expect(row(ben, "acme")).to_have_count(0)


async def test_a_move_in_progress_cannot_be_sent_again(
    desk: InboxServer, chromium: Browser
) -> None:
    """Not before its response, like every other command; the browser logs no error."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", account_id="acme"), a_specialist("ben"))
    lead = await desk.page_of(chromium, "ann", lead=True)
    errors: list[str] = []
    lead.on("console", lambda entry: errors.append(entry.text))
    sent, opened = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        sent.set()
        await opened.wait()
        await route.continue_()

    await lead.route("**/move", hold)
    await row(lead, "acme").locator("a").click()
    await expect(lead.locator("#pane header")).to_be_visible()
    await press(lead, "m")
    await lead.locator("#pane select[name=to]").select_option("ben")
    move = lead.get_by_role("button", name="Move", exact=True)
    await move.click()
    await sent.wait()
    await expect(move).to_be_disabled()
    opened.set()
    await expect(lead.locator("#pane .answer")).to_contain_text("Moved; Ben has it.")
    assert errors == []


async def test_opening_another_ticket_during_a_command_keeps_the_page_live(
    desk: InboxServer, chromium: Browser
) -> None:
    """The form is gone when its response arrives: the page still gets its updates."""
    await desk.handle(
        a_specialist("ann", capacity={"email": 3}),
        a_ticket("T1", account_id="acme", after_min=1),
        a_ticket("T2", account_id="globex", after_min=2),
    )
    page = await desk.page_of(chromium, "ann")
    sent, opened = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        sent.set()
        await opened.wait()
        await route.continue_()

    await page.route("**/responded", hold)
    await row(page, "acme").locator("a").click()
    await expect(page.locator("#pane header")).to_contain_text("acme")
    await press(page, "r")
    await sent.wait()
    await row(page, "globex").locator("a").click()
    await expect(page.locator("#pane header")).to_contain_text("globex")
    async with page.expect_response("**/responded"):
        opened.set()
    await desk.handle(a_ticket("T3", account_id="initech", after_min=3))
    await page.locator("main").click(position={"x": 1, "y": 1})
    await expect(row(page, "initech")).to_be_visible()
    await expect(page.locator("#waiting")).to_contain_text("acme")


async def test_someone_was_faster(desk: InboxServer, chromium: Browser) -> None:
    """A command on a ticket that has gone is refused where it was given, without any effect."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", account_id="acme"), a_specialist("ben"))
    ann = await desk.page_of(chromium, "ann")
    await row(ann, "acme").locator("a").click()
    await expect(ann.locator("#pane header")).to_be_visible()
    lead = await desk.page_of(chromium, "ben", lead=True)
    ticket = (await ann.locator("[data-open]").get_attribute("data-open")) or ""
    await lead.goto(f"{desk.address}/inbox/lead?ticket={ticket}")
    await lead.wait_for_selector("body[data-live=live]")
    await press(lead, "m")
    await lead.locator("#pane select[name=to]").select_option("ben")
    await lead.get_by_role("button", name="Move", exact=True).click()
    await expect(lead.locator("#pane .answer")).to_contain_text("Moved; Ben has it.")
    await ann.locator("#pane").get_by_role("button", name="Responded").click()
    await expect(ann.locator("#pane .answer")).to_contain_text("someone was faster")
    assert await read(desk, COMMANDS) == [("move", "ben")]


async def test_a_double_click_is_one_command(desk: InboxServer, chromium: Browser) -> None:
    """Both clicks get the same response."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", channel="phone", account_id="hooli"))
    page = await desk.page_of(chromium, "ann")
    await page.evaluate("""
        const form = document.querySelector("[data-row] form[hx-post$=accept]");
        form.removeAttribute("hx-disabled-elt");
        form.requestSubmit();
        form.requestSubmit();
    """)
    await expect(page.locator("#said")).to_contain_text("Accepted; Ann has it.")
    await expect(page.locator("#mine")).to_have_text("Mine (1)")
    assert await read(desk, COMMANDS) == [("accept", "ann")]


async def test_a_lost_response_does_no_harm(desk: InboxServer, chromium: Browser) -> None:
    """The page shows that none came; the repeated command has one effect."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", account_id="acme"))
    page = await desk.page_of(chromium, "ann")
    await row(page, "acme").locator("a").click()
    await expect(page.locator("#pane header")).to_be_visible()
    lost: list[Request] = []

    async def lose(route: Route) -> None:
        lost.append(route.request)
        await route.fetch()
        await route.abort()

    await page.route("**/responded", lose, times=1)
    await press(page, "r")
    await expect(page.locator("#pane")).to_contain_text("No answer came. Press again")
    await press(page, "r")
    await expect(page.locator("#pane")).to_contain_text("Noted: the customer is answered")
    assert len(lost) == 1
    assert await read(desk, COMMANDS) == [("respond", "ann")]


async def test_a_focused_list_does_not_move(desk: InboxServer, chromium: Browser) -> None:
    """While a row has the focus, new rows wait, and removed ones stay in place, struck through."""
    await desk.handle(
        a_specialist("ann", capacity={"email": 3}),
        a_ticket("T1", account_id="acme", after_min=1),
        a_ticket("T2", account_id="globex", after_min=2),
    )
    page = await desk.page_of(chromium, "ann")
    await press(page, "j")
    await desk.handle(
        a_ticket("T0", account_id="stark"), a_fact(TicketResponded, "T2", after_min=3)
    )
    await expect(page.get_by_role("button", name="1 new")).to_be_visible()
    await expect(row(page, "acme").locator("a")).to_be_focused()
    mine = page.locator("section:has(#mine) [data-row] .account")
    await expect(mine).to_have_text(["acme", "globex"])
    await press(page, "n")
    await expect(mine).to_have_text(["stark", "acme"])
    await expect(page.locator("#waiting")).to_contain_text("globex")


async def test_an_open_ticket_shows_that_it_has_changed(
    desk: InboxServer, chromium: Browser
) -> None:
    """It offers to be updated instead of changing by itself."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", account_id="acme"))
    page = await desk.page_of(chromium, "ann")
    await row(page, "acme").locator("a").click()
    await expect(page.locator("#pane header")).to_be_visible()
    await desk.handle(a_fact(TicketResponded, "T1", after_min=1))
    await expect(page.locator("#pane-old")).to_be_visible()
    await press(page, "u")
    await expect(page.locator("#pane")).to_contain_text("No answer is due.")


async def test_a_cut_stream_is_shown_and_reconnects(desk: InboxServer, chromium: Browser) -> None:
    """Without a reload the page then shows all changes; stale countdowns are marked."""
    await desk.handle(a_specialist("ann", capacity={"email": 2}), a_ticket("T1", account_id="acme"))
    page = await desk.page_of(chromium, "ann")
    await desk.stop()
    await page.wait_for_selector("body[data-live=stale]")
    await expect(page.locator("#banner")).to_contain_text("The connection is lost")
    await expect(page.locator("#age-words")).to_contain_text("s old")
    await desk.handle(a_ticket("T2", account_id="stark"))
    await desk.restart()
    await page.wait_for_selector("body[data-live=live]")
    await expect(page.locator("#banner")).to_contain_text("The connection is back")
    await expect(row(page, "stark")).to_be_visible()


async def test_countdowns_tick_without_a_network(desk: InboxServer, chromium: Browser) -> None:
    """While the page is fresh, they count seconds between two heartbeats of the stream."""
    await desk.handle(a_specialist("ann"), a_ticket("T1", channel="phone", account_id="hooli"))
    page = await desk.page_of(chromium, "ann")
    lease = row(page, "hooli").locator("time")
    before = await lease.inner_text()
    await expect(lease).not_to_have_text(before)


async def test_a_session_that_has_ended_ends_the_page(desk: InboxServer, chromium: Browser) -> None:
    """After a sign-out in one window, the others show it by themselves."""
    await desk.handle(a_specialist("ann"))
    page = await desk.page_of(chromium, "ann")
    other = await page.context.new_page()
    await other.goto(f"{desk.address}/inbox")
    await other.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in?why=ended")
    assert await read(desk, REPORTED) == [("offline",)]


async def test_filters_and_the_open_ticket_are_in_the_url(
    desk: InboxServer, chromium: Browser
) -> None:
    """A link opens the same view for a colleague."""
    await a_busy_day(desk)
    page = await desk.page_of(chromium, "lea", lead=True, path="/inbox/lead")
    await page.locator("select[name=language]").select_option("de")
    await page.locator("select[name=sort]").select_option("age")
    await page.get_by_role("button", name="Show").click()
    await row(page, "wayne").locator("a").click()
    await page.wait_for_url("**/inbox/lead?language=de&sort=age&ticket=*")
    colleague = await desk.page_of(chromium, "mara", lead=True)
    await colleague.goto(page.url)
    await expect(colleague.locator("#pane")).to_contain_text("wayne")
    await expect(colleague.locator("select[name=language]")).to_have_value("de")
    await page.go_back()
    await expect(page.locator("#pane")).not_to_contain_text("wayne")


async def test_a_page_is_light(desk: InboxServer, chromium: Browser) -> None:
    """A first visit transfers at most 150 KB."""
    await a_busy_day(desk)
    page = await desk.page_of(chromium, "mara")
    fresh = await page.context.new_page()
    cdp = await page.context.new_cdp_session(fresh)
    await cdp.send("Network.enable")
    await cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})
    brought: list[float] = []
    cdp.on("Network.loadingFinished", lambda event: brought.append(event["encodedDataLength"]))
    await fresh.goto(f"{desk.address}/inbox")
    await fresh.wait_for_selector("body[data-live=live]")
    assert len(brought) >= 6
    assert 0 < sum(brought) <= BYTES_MAX


async def test_a_long_queue_has_several_pages(desk: InboxServer, chromium: Browser) -> None:
    """A hundred tickets on each page, each ticket on one page, within the filter."""
    waits = [a_ticket(f"T{n}", account_id=f"acme-{n:03}", language="de") for n in range(203)]
    await desk.handle(a_specialist("ann", capacity={"phone": 1}), *waits)
    lead = await desk.page_of(chromium, "ann", lead=True, path="/inbox/lead?language=de")
    turns = lead.get_by_label("Pages of the queue")
    seen: set[str] = set()
    for place in ("1 to 100 of 203", "101 to 200 of 203", "201 to 203 of 203"):
        await expect(turns).to_contain_text(place)
        rows = await lead.locator("#lists [data-row]").all_text_contents()
        seen |= {one for text in rows for one in text.split() if one.startswith("acme-")}
        if not place.startswith("201"):
            await turns.get_by_role("link", name="After").click()
    assert len(seen) == 203
    await expect(turns.get_by_role("link", name="After")).to_have_count(0)
    await turns.get_by_role("link", name="Before").click()
    await expect(turns).to_contain_text("101 to 200 of 203")
    await desk.handle(a_fact(TicketResponded, "T0"))
    await expect(turns).to_contain_text("101 to 200 of 202")
