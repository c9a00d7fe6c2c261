"""Every state of every page is accessible: in light and dark, on a phone and a large screen."""

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
async def test_every_state_is_accessible(
    desk: InboxServer, chromium: Browser, name: str, request: pytest.FixtureRequest
) -> None:
    """Axe finds no violation, nothing overflows, no script or style is refused."""
    page = await STATES[name](desk, chromium)
    errors: list[str] = []  # includes failed requests: in one state the server is down
    page.on("console", lambda entry: errors.append(entry.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    folder: Path | None = request.config.getoption("--pictures")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size in (NARROW, WIDE):
            await page.set_viewport_size(size)
            assert await page.evaluate(OVERFLOW) <= 0
            await _check_accessibility(page)
            if folder is not None:
                await _picture(page, folder, f"{name}-{size['width']}-{scheme}")
    assert [c for c in errors if not c.startswith(AWAY)] == []


async def _check_accessibility(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def _picture(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
