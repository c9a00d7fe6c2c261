"""Access to intake's API on a real PostgreSQL: which key may send and read what."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.integration.access.keyed_service import Door, Hand, shown
from tests.integration.intake.conftest import KEYS, as_read, listed

from intake import handlers
from intake.api.app import Dependencies, make_app
from intake.idempotency import RequestBatcher
from intake.store.access import sources_of
from intake.webhooks import Secrets
from shared.platform.access import Authenticator
from shared.platform.api_keys import ApiKey
from shared.platform.http import ops_routes
from shared.platform.postgres import Database
from shared.testing.builders import NOON
from shared.testing.databases import FreshDatabase

REQUEST: Final[dict[str, Any]] = {
    "source": "form",
    "external_id": "A-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "role": "super_admin",
    "channel": "email",
    "language": "en",
    "subject": "Login",
    "occurred_at": "2026-03-02T12:00:00Z",
}
FACT: Final = {
    "source": "form",
    "external_id": "A-1",
    "type": "responded",
    "occurred_at": "2026-03-02T12:10:00Z",
}


@pytest.fixture
async def door(fresh: FreshDatabase, db: Database, batcher: RequestBatcher) -> AsyncIterator[Door]:
    """Run intake's API without any key."""
    async with db.transaction() as tx:
        await handlers.handle_batch(tx, [as_read(listed())], NOON, keys=KEYS)
    hand = Hand()
    access = Authenticator(db, sources_of, hand)
    used = Dependencies(db, access, Secrets(None), batcher, KEYS)
    transport = ASGITransport(make_app(used, ops_routes({})))
    async with AsyncClient(transport=transport, base_url="http://intake") as http:
        yield Door("intake", http, access, hand, fresh.owner_dsn)


async def post(door: Door, key: ApiKey, **changes: object) -> Response:
    """Send a request."""
    return await door.http.post("/v1/tickets", json=REQUEST | changes, headers=shown(key))


async def get(door: Door, key: ApiKey, ticket_id: str) -> Response:
    """Read a ticket."""
    return await door.http.get(f"/v1/tickets/{ticket_id}", headers=shown(key))


async def test_a_key_permits_its_scopes_only(door: Door) -> None:
    """A request without the scope is refused; the error names the scope and the remedy."""
    writer = await door.key("a", ["tickets:write"], ["form"])
    reader = await door.key("b", ["tickets:read"], ["desk"])
    accepted = await post(door, writer)
    assert accepted.status_code == 202
    for answer in (
        await post(door, reader),
        await door.http.post("/v1/events", json=FACT, headers=shown(reader)),
    ):
        assert answer.status_code == 403
        assert "--scope tickets:write" in answer.json()["detail"]
    refused = await get(door, writer, accepted.json()["ticket_id"])
    assert refused.status_code == 403
    assert "tickets:read" in refused.json()["detail"]


async def test_a_tenant_may_send_for_its_own_sources_only(door: Door) -> None:
    """Requests and later facts; the error names the source and the remedy."""
    await door.key("northwind", None, ["form"])
    other = await door.key("southwind", None, ["desk"])
    for answer in (
        await post(door, other),
        await door.http.post("/v1/events", json=FACT, headers=shown(other)),
    ):
        assert answer.status_code == 403
        assert "'form'" in answer.json()["detail"]
        assert "premium keys create southwind" in answer.json()["detail"]
    assert (await post(door, other, source="desk")).status_code == 202


async def test_a_tenant_may_read_its_own_tickets_only(door: Door) -> None:
    """Another tenant's ticket is not found, like one that does not exist."""
    mine = await door.key("northwind", None, ["form"])
    other = await door.key("southwind", None, ["desk"])
    ticket_id = (await post(door, mine)).json()["ticket_id"]
    assert (await get(door, mine, ticket_id)).status_code == 200
    foreign = await get(door, other, ticket_id)
    assert foreign.status_code == 404
    assert foreign.json()["detail"] == f"there is no ticket {ticket_id}"


async def test_a_body_is_not_read_before_the_key_is_checked(door: Door) -> None:
    """Without a key it is not read at all; with a key it is cut off at the size limit."""
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b" " * 64 * 1024

    unkeyed = await door.http.post("/v1/tickets", content=endless())
    assert (unkeyed.status_code, read) == (401, [])
    key = await door.key(owned=["form"])
    tenant = await door.http.post("/v1/tickets", content=endless(), headers=shown(key))
    assert (tenant.status_code, len(read)) == (413, 5)
