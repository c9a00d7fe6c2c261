"""The HTTP API of sla-monitor: clocks, timeline, permissions and errors."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from tests.integration.hostile import faults, spoiled_targets

from shared.events import Envelope, Event, TicketNoted, TicketResponded, TicketResumed, ticket_id_of
from shared.platform.access import Authenticator
from shared.platform.http import HttpServer
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.keys import new_key
from sla_monitor.api.app import make_app
from sla_monitor.partitions import Partitions
from sla_monitor.service import ClockService

T1 = ticket_id_of("test", "T1")
CLOCKS = f"/v1/tickets/{T1}/clocks"
TIMELINE = f"/v1/tickets/{T1}/timeline"


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make a database of sla-monitor."""
    return await database("sla_monitor")


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as sla-monitor."""
    db = Database(fresh.dsn, service="sla-monitor")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(db: Database, fresh: FreshDatabase) -> AsyncIterator[AsyncClient]:
    """Make a client with a key for all accounts."""
    transport = ASGITransport(make_app(db, Authenticator(db), []))
    headers = await bearer(fresh, "all")
    async with AsyncClient(
        transport=transport, base_url="http://sla-monitor", headers=headers
    ) as client:
        yield client


async def bearer(fresh: FreshDatabase, name: str, *accounts: str) -> dict[str, str]:
    """Make a key, limited to accounts if any are named; return its header."""
    key = await new_key(fresh.owner_dsn, "sla-monitor", tenant="acme", name=name, owned=accounts)
    return {"authorization": f"Bearer {key.text}"}


async def receive(db: Database, *facts: Envelope[Event], after_min: float) -> None:
    """Handle facts so many minutes after noon."""
    partitions = Partitions(db, _one)
    await partitions.start()
    async with db.transaction() as tx:
        await ClockService(partitions).handle(tx, facts, NOON + minutes(after_min))


async def _one() -> int:
    return 1


async def test_a_running_clock_shows_its_promise_and_due_time(
    db: Database, client: AsyncClient
) -> None:
    """The response has rule, policy, calendar, target, due time and counted spans."""
    await receive(db, a_ticket("T1"), after_min=1)
    answer = await client.get(CLOCKS)
    assert answer.status_code == 200
    [clock] = answer.json()["clocks"]
    assert (clock["kind"], clock["promise_class"], clock["state"]) == (
        "first_response",
        "guarantee",
        "running",
    )
    assert clock["target_ms"] == 3_600_000
    assert (clock["started_at"], clock["due_at"]) == (
        "2026-03-02T12:00:00Z",
        "2026-03-02T13:00:00Z",
    )
    assert clock["calendar"]["name"] == "always"
    assert clock["rule"]
    assert clock["policy"] == answer.json()["ticket"]["policy"]
    [span] = clock["spans"]
    assert span == {"since": clock["started_at"], "until": clock["due_at"], "counts_ms": 3_600_000}


async def test_a_broken_promise_names_its_event(db: Database, client: AsyncClient) -> None:
    """The clock has the id of the breach event, and the breakdown."""
    await receive(db, a_ticket("T1"), after_min=61)
    [clock] = (await client.get(CLOCKS)).json()["clocks"]
    assert (clock["broken"]["called"], clock["broken"]["since"]) == ("breached", clock["due_at"])
    async with db.session() as session:
        assert clock["broken"]["event_id"] == str(
            await session.fetchval("SELECT broken_id FROM clock")
        )
    assert sum(clock["breakdown"]["parts_ms"].values()) == clock["breakdown"]["total_ms"]


async def test_a_late_answer_shows_in_both_resources(db: Database, client: AsyncClient) -> None:
    """The clock is met and counts a retraction; the timeline marks the fact as late."""
    await receive(db, a_ticket("T1"), after_min=61)
    await receive(db, a_fact(TicketNoted, "T1", after_min=62), after_min=62)
    await receive(db, a_fact(TicketResponded, "T1", after_min=20), after_min=90)
    [clock] = (await client.get(CLOCKS)).json()["clocks"]
    assert (clock["state"], clock["broken"], clock["retractions"]) == ("met", None, 1)
    assert clock["remaining"]["business_ms"] == 40 * 60_000
    entries = (await client.get(TIMELINE)).json()["entries"]
    kinds = [(entry["entry"], [c["change"] for c in entry["changes"]]) for entry in entries]
    assert kinds == [
        ("fact", ["started"]),
        ("fact", ["met", "retracted"]),
        ("time", ["broken"]),
        ("fact", []),
    ]
    assert [entry["late"] for entry in entries] == [False, True, True, False]
    assert entries[1]["learned_at"] == "2026-03-02T13:30:00Z"
    assert entries[1]["source"] == "test"


async def test_a_fact_without_its_request_has_no_clock(db: Database, client: AsyncClient) -> None:
    """There is one timeline entry, but no clock and no ticket yet."""
    await receive(db, a_fact(TicketResumed, "T1"), after_min=1)
    clocks, timeline = (await client.get(CLOCKS)).json(), (await client.get(TIMELINE)).json()
    assert (clocks["ticket"], clocks["clocks"]) == (None, [])
    assert [entry["type"] for entry in timeline["entries"]] == ["premium.ticket.resumed.v1"]


@pytest.mark.parametrize("place", [CLOCKS, TIMELINE])
async def test_an_unknown_ticket_is_a_problem(client: AsyncClient, place: str) -> None:
    """404, with a problem document that names the ticket."""
    answer = await client.get(place)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(T1) in answer.json()["detail"]


@pytest.mark.parametrize("place", [CLOCKS, TIMELINE])
async def test_a_key_reads_only_its_accounts(
    db: Database, client: AsyncClient, fresh: FreshDatabase, place: str
) -> None:
    """Other tickets, and those without a request yet, get the same 404 as unknown ones."""
    await receive(db, a_ticket("T1", account_id="northwind"), after_min=1)
    await receive(db, a_fact(TicketResumed, "T2"), after_min=1)
    mine = await bearer(fresh, "mine", "northwind", "eastwind")
    other = await bearer(fresh, "other", "southwind")
    assert (await client.get(place, headers=mine)).status_code == 200
    foreign = await client.get(place, headers=other)
    assert (foreign.status_code, str(T1) in foreign.json()["detail"]) == (404, True)
    nobodys = place.replace(str(T1), str(ticket_id_of("test", "T2")))
    assert (await client.get(nobodys, headers=mine)).status_code == 404
    assert (await client.get(nobodys)).status_code == 200


async def test_reading_needs_a_key(client: AsyncClient) -> None:
    """A ticket's id can be computed from its source and external id: it proves nothing."""
    assert (await client.get(CLOCKS, headers={"authorization": ""})).status_code == 401


async def test_bad_input_never_causes_a_5xx(db: Database, fresh: FreshDatabase) -> None:
    """Bad paths, queries and headers get a 4xx response, never a 5xx."""
    await receive(db, a_ticket("T1"), after_min=1)
    server = HttpServer(make_app(db, Authenticator(db), []), host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    address = "http://{}:{}".format(*server.listening.getsockname())
    async with AsyncClient(base_url=address, headers=await bearer(fresh, "all")) as client:
        document = (await client.get("/openapi.json")).json()
        assert await faults(client, spoiled_targets(document)) == []
    await server.stop()


async def test_what_is_no_ticket_id_is_refused(client: AsyncClient) -> None:
    """422, with the name of the field."""
    answer = await client.get("/v1/tickets/A-1001/clocks")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "ticket_id"


async def test_the_api_describes_itself(client: AsyncClient) -> None:
    """Each operation has a description, a response schema, and problem documents for 404."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/v1/tickets/{ticket_id}/clocks", "/v1/tickets/{ticket_id}/timeline"):
        described = paths[path]["get"]
        assert described["description"].endswith(".")
        assert "$ref" in described["responses"]["200"]["content"]["application/json"]["schema"]
        assert [*described["responses"]["404"]["content"]] == ["application/problem+json"]
