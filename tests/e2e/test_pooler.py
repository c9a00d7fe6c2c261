"""The four services as processes behind a real PgBouncer, in session and in transaction mode."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import httpx
import pytest
from tests.pgbouncer import Mode, pgbouncer, through

from devstack.stack import Stack
from lab.demo.script import ROSTER
from premium.accounts.publication import publish as publish_accounts
from premium.profile import SERVICES
from premium.roster.files import read as read_roster
from premium.roster.publication import publish
from shared.events import ClockStarted, Event, NotificationSent, TicketAccepted, TicketAssigned
from shared.platform import dead_letters, postgres
from shared.platform.postgres import Database
from shared.testing.builders import an_account

TICKETS: Final = 25


class Watch(Protocol):
    """The fixture: reads facts as they are published."""

    async def until(self, ticket_id: UUID, *types: type[Event]) -> object:
        """Wait until these were published of a ticket."""


def database(service: str) -> str:
    """Name a service's database."""
    return service.replace("-", "_")


@pytest.fixture(scope="module", params=["session", "transaction"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Run everything, with a PgBouncer between the services and their databases."""
    mode: Mode = request.param
    home = tmp_path_factory.mktemp("stack")
    servers = Stack(home)
    asyncio.run(servers.up(services=False))
    direct = servers.addresses
    dsns = [direct.dsn(database(s), owner=owner) for s in SERVICES for owner in (True, False)]
    with pgbouncer([direct.admin_dsn, *dsns], mode) as place:
        if mode == "session":
            stack = Stack(home, postgres_dsn=through(place, direct.admin_dsn))
        else:
            stack = Stack(home, postgres_pooler=place)
        asyncio.run(stack.up())
        asyncio.run(publish(stack.profile, read_roster(ROSTER)))
        asyncio.run(publish_accounts(stack.profile, [an_account()]))
        yield stack
        asyncio.run(stack.down(wipe=True))


def request_at(now: datetime) -> dict[str, Any]:
    """Fill in the form."""
    return {
        "source": "app-form",
        "external_id": str(uuid4()),
        "account_id": "northwind",
        "requester_id": "ada",
        "channel": "email",
        "language": "en",
        "subject": "Log in",
        "body": "Bob cannot log in",
        "occurred_at": now.isoformat(),
    }


async def parked(stack: Stack) -> list[str]:
    """Read why anything was parked, in whichever service."""
    reasons: list[str] = []
    for service in SERVICES:
        db = Database(stack.addresses.dsn(database(service)), service="test")
        await db.start()
        async with db.session() as session:
            reasons += [letter.detail for letter in await dead_letters.all_parked(session)]
        await db.stop()
    return reasons


async def now(stack: Stack) -> datetime:
    """Ask the stack what time it is."""
    db = Database(stack.addresses.dsn("intake"), service="test")
    await db.start()
    async with db.session() as session:
        moment = await postgres.now(session)
    await db.stop()
    return moment


async def test_tickets_go_their_way_behind_a_pooler(
    stack: Stack, http: httpx.AsyncClient, watch: Watch
) -> None:
    """All at once and each as ever; no service ends, nothing is parked, no part stumbles."""
    processes = {state.name: state.pid for state in await stack.states()}
    at = await now(stack)
    door = f"{stack.addresses.http('intake')}/v1/tickets"
    posts = (http.post(door, json=request_at(at)) for _ in range(TICKETS))
    for answer in await asyncio.gather(*posts):
        assert answer.status_code == 202, answer.text
        ticket_id = UUID(answer.json()["ticket_id"])
        await watch.until(ticket_id, TicketAccepted, ClockStarted, TicketAssigned, NotificationSent)
    states = await stack.states()
    assert [state.reason for state in states if state.reason is not None] == []
    assert {state.name: state.pid for state in states} == processes
    assert await parked(stack) == []
    for service in SERVICES:
        log = stack.log(service).read_text()
        assert "part_failed" not in log
        assert "relay_waits" not in log
