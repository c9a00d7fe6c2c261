"""Chromium as people have it, with a fresh profile a test; and a router's pages behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from shutil import which
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright
from tests.browser.desk import Desk, opened

from shared.testing.databases import MakeDatabase

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make pictures` keep what the tests see."""
    parser.addoption("--pictures", type=Path, help="a folder for a picture of each state")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium."""
    path = which("chromium")
    assert path is not None, "no chromium on PATH: run deploy/chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
        yield browser
        await browser.close()


@pytest.fixture
async def desk(database: MakeDatabase) -> AsyncIterator[Desk]:
    """Serve a router's pages on a port of the loopback; it is Monday noon, and time runs."""
    async with opened(await database("router")) as desk:
        yield desk
