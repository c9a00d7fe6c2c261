"""Intake's door on a real PostgreSQL: which key may send and read what."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.integration.access.keyed_service import KeyedApi, ManualClock, bearer
from tests.integration.intake.conftest import KEYS, as_read, listed

from intake import handlers
from intake.api.app import Dependencies, make_app
from intake.submissions import Submissions
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
async def api(
    fresh: FreshDatabase, db: Database, submissions: Submissions
) -> AsyncIterator[KeyedApi]:
    """Open the door, without a key in hand."""
    async with db.transaction() as tx:
        await handlers.handle_batch(tx, [as_read(listed())], NOON, keys=KEYS)
    clock = ManualClock()
    access = Authenticator(db, clock)
    parts = Dependencies(db, access, Secrets(None), submissions)
    transport = ASGITransport(make_app(parts, ops_routes({})))
    async with AsyncClient(transport=transport, base_url="http://intake") as http:
        yield KeyedApi("intake", http, access, clock, fresh.owner_dsn)


async def post(api: KeyedApi, key: ApiKey, **changes: object) -> Response:
    """Send a request."""
    return await api.http.post("/v1/tickets", json=REQUEST | changes, headers=bearer(key))


async def get(api: KeyedApi, key: ApiKey, ticket_id: str) -> Response:
    """Read a ticket."""
    return await api.http.get(f"/v1/tickets/{ticket_id}", headers=bearer(key))


async def test_a_key_does_what_it_was_made_for(api: KeyedApi) -> None:
    """Who lacks a scope hears which, and what to do."""
    writer = await api.key("a", ["tickets:write"], ["form"])
    reader = await api.key("b", ["tickets:read"], ["desk"])
    taken = await post(api, writer)
    assert taken.status_code == 202
    for answer in (
        await post(api, reader),
        await api.http.post("/v1/events", json=FACT, headers=bearer(reader)),
    ):
        assert answer.status_code == 403
        assert "--scope tickets:write" in answer.json()["detail"]
    refused = await get(api, writer, taken.json()["ticket_id"])
    assert refused.status_code == 403
    assert "tickets:read" in refused.json()["detail"]


async def test_a_tenant_speaks_for_its_own_sources(api: KeyedApi) -> None:
    """Requests and later facts alike; the refusal names the source and the remedy."""
    await api.key("northwind", None, ["form"])
    other = await api.key("southwind", None, ["desk"])
    for answer in (
        await post(api, other),
        await api.http.post("/v1/events", json=FACT, headers=bearer(other)),
    ):
        assert answer.status_code == 403
        assert "'form'" in answer.json()["detail"]
        assert "premium keys create southwind" in answer.json()["detail"]
    assert (await post(api, other, source="desk")).status_code == 202


async def test_a_tenant_reads_its_own_tickets(api: KeyedApi) -> None:
    """Another's is not there, and is not told from one that never was."""
    mine = await api.key("northwind", None, ["form"])
    other = await api.key("southwind", None, ["desk"])
    ticket_id = (await post(api, mine)).json()["ticket_id"]
    assert (await get(api, mine, ticket_id)).status_code == 200
    foreign = await get(api, other, ticket_id)
    assert foreign.status_code == 404
    assert foreign.json()["detail"] == f"there is no ticket {ticket_id}"


async def test_a_body_is_not_read_before_its_sender_is_known(api: KeyedApi) -> None:
    """A stranger's is not read at all; a tenant's is cut off at its limit."""
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b" " * 64 * 1024

    stranger = await api.http.post("/v1/tickets", content=endless())
    assert (stranger.status_code, read) == (401, [])
    key = await api.key(owned=["form"])
    tenant = await api.http.post("/v1/tickets", content=endless(), headers=bearer(key))
    assert (tenant.status_code, len(read)) == (413, 5)
