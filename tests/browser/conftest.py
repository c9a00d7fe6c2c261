"""Chromium, with a fresh profile a test; and a router's pages behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.browser.inbox_server import Desk, opened

from shared.testing.databases import MakeDatabase


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make pictures` keep what the tests see."""
    parser.addoption("--pictures", type=Path, help="a folder for a picture of each state")


@pytest.fixture
async def desk(database: MakeDatabase) -> AsyncIterator[Desk]:
    """Serve a router's pages on a port of the loopback; it is Monday noon, and time runs."""
    async with opened(await database("router")) as desk:
        yield desk
