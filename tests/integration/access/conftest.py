"""The APIs of all services, each with a database of its own."""

from collections.abc import AsyncIterator
from typing import Final, cast

import pytest
from httpx import ASGITransport, AsyncClient
from tests.integration.access.keyed_service import KeyedApi, ManualClock

from docs.services import app_of
from shared.events import ticket_id_of
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES, Keyed
from shared.platform.postgres import Database
from shared.testing.databases import MakeDatabase

NO_TICKET: Final = f"/v1/tickets/{ticket_id_of('form', 'never sent')}"
ANSWERS: Final[dict[Keyed, tuple[str, int]]] = {
    "intake": (NO_TICKET, 404),
    "router": ("/v1/queue", 200),
    "sla-monitor": (f"{NO_TICKET}/clocks", 404),
    "notifier": ("/v1/admin/time", 200),
}


@pytest.fixture(params=SCOPES)
async def service(request: pytest.FixtureRequest) -> Keyed:
    """Run the test for each service."""
    return cast("Keyed", request.param)


@pytest.fixture
async def api(service: Keyed, database: MakeDatabase) -> AsyncIterator[KeyedApi]:
    """Serve the API; no key exists yet."""
    fresh = await database(service.replace("-", "_"))
    db = Database(fresh.dsn, service=service)
    await db.start()
    clock = ManualClock()
    access = Authenticator(db, clock)
    app = app_of(service, db, access)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as http:
        yield KeyedApi(service, http, access, clock, fresh.owner_dsn, *ANSWERS[service])
    await db.stop()
