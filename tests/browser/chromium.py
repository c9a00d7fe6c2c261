"""Chromium as users have it, for tests of pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from shutil import which
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright

__all__ = ["chromium", "running_chromium"]

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
)


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Start Chromium with a fresh profile, and close it in the end."""
    path = which("chromium")
    assert path is not None, "no chromium on PATH: run deploy/chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
        yield browser
        await browser.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium for one test."""
    async with running_chromium() as browser:
        yield browser
