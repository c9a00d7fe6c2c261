"""What intake's tests share: its database, and a client who has a key for everything."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient

from intake.access import Access
from intake.http import make_app
from premium.stack.keys import Grant, connected, create
from shared.keys import EVERY_SOURCE, SCOPES
from shared.postgres import Database
from shared.testing.databases import FreshDatabase, MakeDatabase


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make intake's database."""
    return await database("intake")


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as intake."""
    db = Database(fresh.dsn, service="intake")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(fresh: FreshDatabase, db: Database) -> AsyncIterator[AsyncClient]:
    """Knock at the door, with a key for everything."""
    async with connected(fresh.owner_dsn) as owner:
        key = await create(owner, Grant("northwind", "test", SCOPES, [EVERY_SOURCE]))
    transport = ASGITransport(make_app(db, [], Access(db)))
    headers = {"authorization": f"Bearer {key.text}"}
    async with AsyncClient(transport=transport, base_url="http://intake", headers=headers) as it:
        yield it
