"""Every state of every page: for everybody to use, in light and dark, on a phone and a wall."""

from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize
from tests.browser.inbox_server import InboxServer
from tests.browser.router.page_states import STATES

WIDE: Final = ViewportSize(width=1440, height=900)
NARROW: Final = ViewportSize(width=320, height=800)
AWAY: Final = ("Failed to load resource: net::ERR_CONNECTION_REFUSED", "[object Event]")
OVERFLOW: Final = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("name", STATES)
async def test_states_are_for_everybody(
    desk: InboxServer, chromium: Browser, name: str, request: pytest.FixtureRequest
) -> None:
    """No rule of axe is broken, nothing runs over the edge, no script or style is refused."""
    page = await STATES[name](desk, chromium)
    complaints: list[str] = []  # of a server that is away, too: in one state it is
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    folder: Path | None = request.config.getoption("--pictures")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size in (NARROW, WIDE):
            await page.set_viewport_size(size)
            assert await page.evaluate(OVERFLOW) <= 0
            await _is_for_everybody(page)
            if folder is not None:
                await _picture(page, folder, f"{name}-{size['width']}-{scheme}")
    assert [c for c in complaints if not c.startswith(AWAY)] == []


async def _is_for_everybody(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def _picture(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
