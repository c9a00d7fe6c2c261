"""The door to a ticket's clocks: how they stand, how it came to that, and who is not known."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from tests.integration.hostile import faults, spoiled_targets

from premium.keys.store import Grant, connected, create
from shared.events import Envelope, Event, TicketNoted, TicketResponded, TicketResumed, ticket_id_of
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES
from shared.platform.http import HttpServer
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from shared.testing.databases import FreshDatabase, MakeDatabase
from sla_monitor.api.app import make_app
from sla_monitor.partitions import Partitions
from sla_monitor.service import Folding
from sla_monitor.store.access import accounts_of

T1 = ticket_id_of("test", "T1")
CLOCKS = f"/v1/tickets/{T1}/clocks"
TIMELINE = f"/v1/tickets/{T1}/timeline"


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make sla-monitor's database."""
    return await database("sla_monitor")


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as a sla-monitor."""
    db = Database(fresh.dsn, service="sla-monitor")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(db: Database, fresh: FreshDatabase) -> AsyncIterator[AsyncClient]:
    """Knock at the door, with a key that reaches all accounts."""
    transport = ASGITransport(make_app(db, Authenticator(db, accounts_of), []))
    headers = await shown(fresh, "all")
    async with AsyncClient(
        transport=transport, base_url="http://sla-monitor", headers=headers
    ) as client:
        yield client


async def shown(fresh: FreshDatabase, name: str, *accounts: str) -> dict[str, str]:
    """Make a key, limited to accounts if any are named, and show it."""
    async with connected(fresh.owner_dsn) as owner:
        grant = Grant("acme", name, SCOPES["sla-monitor"], accounts, service="sla-monitor")
        return {"authorization": f"Bearer {(await create(owner, grant)).text}"}


async def learn(db: Database, *facts: Envelope[Event], after_min: float) -> None:
    """Let facts be learned so long after noon."""
    partitions = Partitions(db, _one)
    await partitions.start()
    async with db.transaction() as tx:
        await Folding(partitions).take(tx, facts, NOON + minutes(after_min))


async def _one() -> int:
    return 1


async def test_a_running_clock_says_what_was_promised_and_why_then(
    db: Database, client: AsyncClient
) -> None:
    """Rule, policy, calendar, target, due time and the spans that make it up."""
    await learn(db, a_ticket("T1"), after_min=1)
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
    """Whoever saw the breach finds it here by its id, with where the time went."""
    await learn(db, a_ticket("T1"), after_min=61)
    [clock] = (await client.get(CLOCKS)).json()["clocks"]
    assert (clock["broken"]["called"], clock["broken"]["since"]) == ("breached", clock["due_at"])
    async with db.session() as session:
        assert clock["broken"]["event_id"] == str(
            await session.fetchval("SELECT broken_id FROM clock")
        )
    assert sum(clock["breakdown"]["parts_ms"].values()) == clock["breakdown"]["total_ms"]


async def test_a_late_answer_shows_in_both_resources(db: Database, client: AsyncClient) -> None:
    """The clock is met and counts a retraction; the timeline says late, and what it took back."""
    await learn(db, a_ticket("T1"), after_min=61)
    await learn(db, a_fact(TicketNoted, "T1", after_min=62), after_min=62)
    await learn(db, a_fact(TicketResponded, "T1", after_min=20), after_min=90)
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


async def test_a_fact_without_its_request_is_known_but_times_nothing(
    db: Database, client: AsyncClient
) -> None:
    """A reply that overtook its request: no clock, one entry, nobody's ticket yet."""
    await learn(db, a_fact(TicketResumed, "T1"), after_min=1)
    clocks, timeline = (await client.get(CLOCKS)).json(), (await client.get(TIMELINE)).json()
    assert (clocks["ticket"], clocks["clocks"]) == (None, [])
    assert [entry["type"] for entry in timeline["entries"]] == ["premium.ticket.resumed.v1"]


@pytest.mark.parametrize("place", [CLOCKS, TIMELINE])
async def test_an_unknown_ticket_is_a_problem(client: AsyncClient, place: str) -> None:
    """404, as a problem document that names the ticket."""
    answer = await client.get(place)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(T1) in answer.json()["detail"]


@pytest.mark.parametrize("place", [CLOCKS, TIMELINE])
async def test_a_key_reaches_the_accounts_that_it_is_limited_to(
    db: Database, client: AsyncClient, fresh: FreshDatabase, place: str
) -> None:
    """Another's ticket, and one of nobody's yet, is not told from one that never was."""
    await learn(db, a_ticket("T1", account_id="northwind"), after_min=1)
    await learn(db, a_fact(TicketResumed, "T2"), after_min=1)
    mine = await shown(fresh, "mine", "northwind", "eastwind")
    other = await shown(fresh, "other", "southwind")
    assert (await client.get(place, headers=mine)).status_code == 200
    foreign = await client.get(place, headers=other)
    assert (foreign.status_code, str(T1) in foreign.json()["detail"]) == (404, True)
    nobodys = place.replace(str(T1), str(ticket_id_of("test", "T2")))
    assert (await client.get(nobodys, headers=mine)).status_code == 404
    assert (await client.get(nobodys)).status_code == 200


async def test_without_a_key_nobody_reads(client: AsyncClient) -> None:
    """A ticket's id follows from its source and external id: to know it proves nothing."""
    assert (await client.get(CLOCKS, headers={"authorization": ""})).status_code == 401


async def test_whatever_comes_to_the_door_is_no_fault_of_ours(
    db: Database, fresh: FreshDatabase
) -> None:
    """Paths, queries and headers: a problem with the request is answered as one."""
    await learn(db, a_ticket("T1"), after_min=1)
    server = HttpServer(make_app(db, Authenticator(db, accounts_of), []), host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    address = "http://{}:{}".format(*server.listening.getsockname())
    async with AsyncClient(base_url=address, headers=await shown(fresh, "all")) as client:
        document = (await client.get("/openapi.json")).json()
        assert await faults(client, spoiled_targets(document)) == []
    await server.stop()


async def test_what_is_no_ticket_id_is_refused(client: AsyncClient) -> None:
    """422, with the field named."""
    answer = await client.get("/v1/tickets/A-1001/clocks")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "ticket_id"


async def test_the_api_describes_itself(client: AsyncClient) -> None:
    """Each resource has a sentence, its answer a schema, its 404 the media type of problems."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/v1/tickets/{ticket_id}/clocks", "/v1/tickets/{ticket_id}/timeline"):
        described = paths[path]["get"]
        assert described["description"].endswith(".")
        assert "$ref" in described["responses"]["200"]["content"]["application/json"]["schema"]
        assert [*described["responses"]["404"]["content"]] == ["application/problem+json"]
