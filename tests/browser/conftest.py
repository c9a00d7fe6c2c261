"""A router's inbox pages, for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.browser.inbox_server import InboxServer, serving_inbox

from shared.testing.databases import MakeDatabase


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which `make pictures` saves pictures."""
    parser.addoption("--pictures", type=Path, help="a folder for a picture of each state")


@pytest.fixture
async def desk(database: MakeDatabase) -> AsyncIterator[InboxServer]:
    """Serve a router's pages on the loopback interface; business time starts at Monday noon."""
    async with serving_inbox(await database("router")) as desk:
        yield desk
