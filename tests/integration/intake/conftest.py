"""Fixtures: intake with a database of its own, an HTTP client, and an entitled account."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient

from intake import accounts, handlers
from intake.api.app import Dependencies, make_app
from intake.domain import NumberKeys
from intake.handlers import DocumentRecord
from intake.service import Document
from intake.store import webhooks as webhook_store
from intake.submissions import Submissions
from intake.webhooks import Secrets
from shared.events import INBOUND, AccountListed, Envelope, Event
from shared.events.codec import Record, Skipped, headers_of, value_of
from shared.platform.access import Authenticator
from shared.platform.postgres import Database, Tx
from shared.testing.builders import NOON, an_account
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.keys import new_key
from shared.webhooks import WebhookConnection

REQUEST: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "channel": "email",
    "language": "en",
    "subject": "Login",
    "occurred_at": "2026-03-02T12:00:00Z",
}
KEYS: Final = NumberKeys("a secret of the tests")
ANNOUNCED: Final = """
    SELECT topic, convert_from(value, 'UTF8') AS fact FROM outbox ORDER BY id
"""
SET_TIME: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""


class Intake:
    """Intake on a database of its own; its business time is noon until a test sets it."""

    def __init__(
        self, db: Database, owner: Database, client: AsyncClient, submissions: Submissions
    ) -> None:
        self.db = db
        self.client = client
        self.submissions = submissions
        self._owner = owner

    async def set_time(self, moment: Any) -> None:  # noqa: ANN401 - any time with isoformat
        """Set the business time."""
        async with self._owner.session() as session:
            await session.execute(SET_TIME.format(moment.isoformat()))

    async def consume(self, *items: Envelope[Event] | DocumentRecord) -> None:
        """Handle events and documents in one batch."""
        await self.consume_items(*(as_read(i) if isinstance(i, Envelope) else i for i in items))

    async def consume_items(self, *items: handlers.Item) -> None:
        """Handle decoded records in one batch."""
        async with self.db.transaction() as tx:
            await handlers.handle_batch(tx, items, NOON, keys=KEYS)

    async def publish(self, event: Event, *, at: Any) -> None:  # noqa: ANN401 - as above
        """Handle an event of another service."""
        await self.consume(Envelope(uuid4(), "test", at, event))

    async def consume_documents(self, *contents: dict[str, Any]) -> None:
        """Handle documents from Kafka in one batch, each with a record id of its own."""
        items = []
        for content in contents:
            document = Document(INBOUND.validate_python(content), None)
            record = Record("inbound.v1", 0, 0, None, json.dumps(content).encode(), [])
            items.append(DocumentRecord(uuid4(), record, document))
        await self.consume(*items)

    async def post_request(self, **changes: object) -> Any:  # noqa: ANN401 - an answer is JSON
        """Post the request with changes; return its receipt."""
        answer = await self.client.post("/v1/tickets", json={**REQUEST, **changes})
        assert answer.status_code in {200, 202}, answer.text
        return answer.json()

    async def receipt(self, external_id: str = "A-1") -> Any:  # noqa: ANN401 - as above
        """Read the last receipt of a request."""
        answer = await self.client.get(f"/v1/receipts/app-form/{external_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def announced(self, topic: str) -> Sequence[dict[str, Any]]:
        """Read the events announced on a topic, in order."""
        async with self.db.session() as session:
            rows = await session.fetch(ANNOUNCED)
        return [json.loads(row["fact"]) for row in rows if row["topic"] == topic]


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
async def submissions(db: Database) -> AsyncIterator[Submissions]:
    """Run what all requests are submitted to."""
    submissions = Submissions(db, KEYS)
    await submissions.start()
    yield submissions
    await submissions.stop()


@pytest.fixture
async def empty_intake(
    fresh: FreshDatabase, db: Database, submissions: Submissions
) -> AsyncIterator[Intake]:
    """Run intake without any account."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await owner.start()
    key = await new_key(fresh.owner_dsn, "intake")
    transport = ASGITransport(
        make_app(Dependencies(db, Authenticator(db), Secrets(None), submissions), [])
    )
    headers = {"authorization": f"Bearer {key.text}"}
    async with AsyncClient(
        transport=transport, base_url="http://intake", headers=headers
    ) as client:
        made = Intake(db, owner, client, submissions)
        await made.set_time(NOON)
        yield made
    await owner.stop()


@pytest.fixture
async def intake(empty_intake: Intake) -> Intake:
    """Run intake with the account of the requests."""
    await empty_intake.consume(listed())
    return empty_intake


def as_read(envelope: Envelope[Event]) -> handlers.Item:
    """Decode an event from a record."""
    event = envelope.event
    key = event.subject.encode()
    item = handlers.decode(Record(event.topic, 0, 0, key, value_of(event), headers_of(envelope)))
    assert not isinstance(item, Skipped)
    return item


def as_account_record(envelope: Envelope[Event]) -> accounts.AccountRecord:
    """Decode an account from a record."""
    item = as_read(envelope)
    assert isinstance(item, accounts.AccountRecord)
    return item


def listed(account: AccountListed | None = None, *, at: Any = NOON) -> Envelope[Event]:  # noqa: ANN401
    """Make the event of an account, listed at a time."""
    return Envelope(uuid4(), "billing", at, account or an_account())


async def save_connections(tx: Tx, connections: Iterable[WebhookConnection]) -> None:
    """Put webhook connections in force."""
    for connection in connections:
        await webhook_store.save(tx, connection)
