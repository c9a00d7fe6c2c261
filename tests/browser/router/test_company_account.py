"""Sign-in and sign-out with the company's account, at a certified provider with its defaults."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import Browser, Page, Route, expect
from tests.browser.inbox_server import InboxServer, serving_inbox
from tests.browser.provider import running_provider

from shared.testing.builders import a_specialist
from shared.testing.databases import MakeDatabase

PEOPLE: Final = {
    "u-17": {"preferred_username": "ann", "groups": ["premium-leads"]},
    "u-18": {"preferred_username": "ben", "groups": ["staff"]},
}


@pytest.fixture
async def desk(database: MakeDatabase) -> AsyncIterator[InboxServer]:
    """Serve the pages; the provider returns groups if their scope is requested."""
    async with running_provider() as provider:
        settings = provider.settings(scopes="openid profile groups")
        async with serving_inbox(await database("router"), oidc=settings) as desk:
            await provider.serve(desk.address, PEOPLE)
            await desk.handle(a_specialist("ann"), a_specialist("ben"))
            yield desk


@pytest.fixture
async def page(chromium: Browser, desk: InboxServer) -> AsyncIterator[Page]:
    """Open a window at the sign-in, without requests to other hosts than ours."""

    async def near(route: Route) -> None:
        host = route.request.url.split("/")[2].partition(":")[0]
        await (route.continue_() if host in ("localhost", "127.0.0.1") else route.abort())

    context = await chromium.new_context()
    await context.route("**", near)
    page = await context.new_page()
    await page.goto(f"{desk.address}/sign-in")
    yield page
    await context.close()


async def at_the_provider(page: Page, login: str) -> None:
    """Enter a login and consent to the requested scopes."""
    await page.get_by_role("link", name="Sign in with the company account").click()
    await page.get_by_placeholder("Enter any login").fill(login)
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_claims_that_the_id_token_lacks_are_requested(desk: InboxServer, page: Page) -> None:
    """By default it has ``sub`` alone: the name and the groups come from UserInfo."""
    await at_the_provider(page, "u-17")
    await page.wait_for_url(f"{desk.address}/inbox")
    await page.get_by_role("link", name="Lead").click()
    await page.wait_for_url(f"{desk.address}/inbox/lead")


async def test_sign_out_includes_the_provider(desk: InboxServer, page: Page) -> None:
    """The next user of the browser has to sign in, and gets their own session."""
    await at_the_provider(page, "u-17")
    await page.wait_for_url(f"{desk.address}/inbox")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Yes, sign me out").click()
    await expect(page.get_by_role("status")).to_have_text("You are signed out.")
    await at_the_provider(page, "u-18")
    await expect(page).to_have_title("Inbox of Ben · Premium Support")


async def test_the_end_of_a_session_does_not_interrupt_the_sign_out(page: Page) -> None:
    """The stream may report the end before the page knows where to sign out at the provider."""
    seen = asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        await page.wait_for_event("console", lambda message: message.text == "ended")
        seen.set()
        await route.fulfill(response=answer)

    await page.add_init_script(
        """document.addEventListener("htmx:sseBeforeMessage", (event) => {
          if (event.target.id === "ended") setTimeout(() => console.log("ended"));
        });"""
    )
    await at_the_provider(page, "u-17")
    await page.wait_for_selector("body[data-live=live]")
    await page.route("**/sign-out", slow)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Yes, sign me out").click()
    assert seen.is_set()
    await expect(page.get_by_role("status")).to_have_text("You are signed out.")
