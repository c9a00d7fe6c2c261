"""Merges on a real PostgreSQL: the ticket that stays is told since when its customer waits."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from intake import handlers
from intake.handlers import Document
from shared.events import INBOUND, ticket_id_of
from shared.postgres import Database
from shared.testing.builders import NOON
from shared.testing.databases import MakeDatabase

REQUEST: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "role": "super_admin",
    "channel": "email",
    "language": "en",
    "subject": "Login",
    "occurred_at": "2026-03-02T11:40:00Z",
}
MERGED: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "type": "merged",
    "into": "A-2",
    "occurred_at": "2026-03-02T12:10:00Z",
}
ANNOUNCED: Final = "SELECT convert_from(value, 'UTF8') AS fact FROM outbox ORDER BY id"


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Connect as intake."""
    db = Database((await database("intake")).dsn, service="intake")
    await db.start()
    yield db
    await db.stop()


async def take(db: Database, *contents: dict[str, Any]) -> list[dict[str, Any]]:
    """Take documents in one batch; what is said of merges by then comes back."""
    documents = [Document(INBOUND.validate_python(content), None) for content in contents]
    async with db.transaction() as tx:
        await handlers.take(tx, documents, NOON)
    async with db.session() as session:
        facts = [json.loads(row["fact"]) for row in await session.fetch(ANNOUNCED)]
    return [fact for fact in facts if "absorbed" in fact]


TOLD: Final = [
    {
        "ticket_id": str(ticket_id_of("app-form", "A-2")),
        "absorbed": str(ticket_id_of("app-form", "A-1")),
        "create_date": "2026-03-02T11:40:00Z",
    }
]


async def test_a_merge_tells_the_ticket_that_stays(db: Database) -> None:
    """With the duplicate's create date."""
    assert await take(db, REQUEST) == []
    assert await take(db, MERGED) == TOLD


async def test_a_merge_that_overtakes_its_request_waits_for_it(db: Database) -> None:
    """It is told when the request has come, and in one batch with it, too."""
    assert await take(db, MERGED) == []
    assert await take(db, REQUEST) == TOLD


async def test_a_merge_in_the_batch_of_its_request_is_told_once(db: Database) -> None:
    """Whichever stands first."""
    assert await take(db, MERGED, REQUEST) == TOLD
