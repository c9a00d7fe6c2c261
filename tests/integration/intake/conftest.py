"""Intake for its tests: a database of its own, a door, and an account that may ask."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient

from intake import accounts, handlers
from intake.api.app import Parts, make_app
from intake.domain import NumberKeys
from intake.handlers import Posted
from intake.idempotency import Reception, make_reception
from intake.service import Document
from intake.store.access import sources_of
from intake.webhooks import Secrets
from premium.keys.store import Grant, connected, create
from shared.events import INBOUND, AccountListed, Envelope, Event
from shared.events.codec import Record, Skipped, headers_of, value_of
from shared.platform.access import Authenticator
from shared.platform.api_keys import EVERY, SCOPES
from shared.platform.postgres import Database
from shared.testing.builders import NOON, an_account
from shared.testing.databases import FreshDatabase, MakeDatabase

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
STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""


class Intake:
    """Intake on a database of its own, whose time stands at noon until it is set."""

    def __init__(
        self, db: Database, owner: Database, client: AsyncClient, reception: Reception
    ) -> None:
        self.db = db
        self.client = client
        self.reception = reception
        self._owner = owner

    async def stand_at(self, moment: Any) -> None:  # noqa: ANN401 - written as it is
        """Let it be that time."""
        async with self._owner.session() as session:
            await session.execute(STAND.format(moment.isoformat()))

    async def take(self, *items: Envelope[Event] | Posted) -> None:
        """Let records have come in one batch."""
        await self.take_items(*(as_read(i) if isinstance(i, Envelope) else i for i in items))

    async def take_items(self, *items: handlers.Item) -> None:
        """Let records, as they were read, have come in one batch."""
        async with self.db.transaction() as tx:
            await handlers.take(tx, items, NOON, keys=KEYS)

    async def publish(self, event: Event, *, at: Any) -> None:  # noqa: ANN401 - as above
        """Let an event of another service have come."""
        await self.take(Envelope(uuid4(), "test", at, event))

    async def take_documents(self, *contents: dict[str, Any]) -> None:
        """Let documents have come by Kafka, each at a place of its own."""
        items = []
        for content in contents:
            document = Document(INBOUND.validate_python(content), None)
            record = Record("inbound.v1", 0, 0, None, json.dumps(content).encode(), [])
            items.append(Posted(uuid4(), record, document))
        await self.take(*items)

    async def ask(self, **changes: object) -> Any:  # noqa: ANN401 - an answer is JSON
        """Post the request; the receipt comes back."""
        answer = await self.client.post("/v1/tickets", json={**REQUEST, **changes})
        assert answer.status_code in {200, 202}, answer.text
        return answer.json()

    async def receipt(self, external_id: str = "A-1") -> Any:  # noqa: ANN401 - as above
        """Read what was answered last."""
        answer = await self.client.get(f"/v1/receipts/app-form/{external_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def said(self, topic: str) -> Sequence[dict[str, Any]]:
        """Read what was announced on a topic, in order."""
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
async def reception(db: Database) -> AsyncIterator[Reception]:
    """Let requests be received."""
    reception = make_reception(db, KEYS)
    await reception.start()
    yield reception
    await reception.stop()


@pytest.fixture
async def stranger(
    fresh: FreshDatabase, db: Database, reception: Reception
) -> AsyncIterator[Intake]:
    """Run intake, which has been told of no account."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await owner.start()
    async with connected(fresh.owner_dsn) as owning:
        key = await create(owning, Grant("northwind", "test", SCOPES["intake"], [EVERY]))
    transport = ASGITransport(
        make_app(Parts(db, Authenticator(db, sources_of), Secrets(None), reception, KEYS), [])
    )
    headers = {"authorization": f"Bearer {key.text}"}
    async with AsyncClient(
        transport=transport, base_url="http://intake", headers=headers
    ) as client:
        made = Intake(db, owner, client, reception)
        await made.stand_at(NOON)
        yield made
    await owner.stop()


@pytest.fixture
async def intake(stranger: Intake) -> Intake:
    """Run intake, which knows the account."""
    await stranger.take(listed())
    return stranger


def as_read(envelope: Envelope[Event]) -> handlers.Item:
    """Read an event as its record is read."""
    event = envelope.event
    key = event.subject.encode()
    item = handlers.decode(Record(event.topic, 0, 0, key, value_of(event), headers_of(envelope)))
    assert not isinstance(item, Skipped)
    return item


def as_told(envelope: Envelope[Event]) -> accounts.Told:
    """Read an account as its record is read."""
    item = as_read(envelope)
    assert isinstance(item, accounts.Told)
    return item


def listed(account: AccountListed | None = None, *, at: Any = NOON) -> Envelope[Event]:  # noqa: ANN401
    """Tell of an account, as of a moment."""
    return Envelope(uuid4(), "billing", at, account or an_account())
