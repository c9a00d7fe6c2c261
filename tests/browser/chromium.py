"""The installed Chromium, for tests of pages."""

from collections.abc import AsyncIterator
from shutil import which
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright

__all__ = ["chromium"]

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium with a new profile."""
    path = which("chromium")
    assert path is not None, "no chromium on PATH: run deploy/chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
        yield browser
        await browser.close()
