"""Router for its tests: a database of its own, and its door, with a key for everything in hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import ASGITransport, AsyncClient

from premium.stack.keys import Grant, connected, create
from router.access import specialists_of
from router.handlers import Matcher
from router.http import make_app
from shared.access import Access
from shared.keys import EVERY, SCOPES
from shared.postgres import Database
from shared.testing.databases import FreshDatabase, MakeDatabase


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make router's database."""
    return await database("router")


@asynccontextmanager
async def at_the_door(
    fresh: FreshDatabase, db: Database, matcher: Matcher
) -> AsyncIterator[AsyncClient]:
    """Knock as a desk for everybody, whose key is `desk/test`."""
    async with connected(fresh.owner_dsn) as owner:
        grant = Grant("desk", "test", SCOPES["router"], [EVERY], service="router")
        key = await create(owner, grant)
    transport = ASGITransport(make_app(db, matcher, Access(db, specialists_of), []))
    headers = {"authorization": f"Bearer {key.text}"}
    async with AsyncClient(
        transport=transport, base_url="http://router", headers=headers
    ) as client:
        yield client
