"""The specialists' door: what a decline comes to, and what a team lead sees."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from httpx import AsyncClient
from tests.integration.router.conftest import at_the_door

from router.domain.matching import default_rules, redecide
from router.service.routing import RoutingService
from router.store import tickets as ticket_store
from shared.events import AssignmentExplained, Envelope, Event, ticket_id_of
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes
from shared.testing.databases import FreshDatabase

T1 = ticket_id_of("test", "T1")
T2 = ticket_id_of("test", "T2")
AGED = "UPDATE decision SET decided_at = now() - $2::interval WHERE ticket_id = $1"
DECLINED = """
    SELECT value ->> 'reason' FROM (SELECT convert_from(value, 'UTF8')::json AS value FROM outbox)
    WHERE value ->> 'reason' IS NOT NULL
"""


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as a router."""
    db = Database(fresh.dsn, service="router")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(fresh: FreshDatabase, db: Database) -> AsyncIterator[AsyncClient]:
    """Knock at the door."""
    async with at_the_door(fresh, db, RoutingService(default_rules())) as client:
        yield client


async def given(db: Database, *envelopes: Envelope[Event], after_min: float = 1) -> None:
    """Let events have had their effect, so long after noon."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).apply_events(tx, envelopes, NOON + minutes(after_min))


def wish(specialist_id: str) -> dict[str, str]:
    """Decline for some reason."""
    return {"specialist_id": specialist_id, "reason": "not my field"}


async def test_a_declined_ticket_goes_on_in_the_same_breath(
    db: Database, client: AsyncClient
) -> None:
    """The answer says who has it now; the reason is announced."""
    await given(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=wish("ann"))
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "assigned", "ticket_id": str(T1), "specialist_id": "ben"}
    async with db.session() as session:
        assert await session.fetchval(DECLINED) == "not my field"


async def test_a_declined_ticket_waits_when_nobody_else_has_room(
    db: Database, client: AsyncClient
) -> None:
    """It is in the queue again, with its age."""
    await given(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben", presence="away"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=wish("ann"))
    assert answer.json() == {"outcome": "waiting", "ticket_id": str(T1), "specialist_id": None}
    [pool] = (await client.get("/v1/queue")).json()
    assert (pool["channel"], pool["language"], pool["waiting"]) == ("email", "en", 1)
    assert pool["oldest_s"] > 0


async def test_only_who_has_a_ticket_can_decline_it(db: Database, client: AsyncClient) -> None:
    """Somebody was faster: that is said, and nothing changes."""
    await given(db, a_specialist("ann"), a_ticket("T1"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=wish("ben"))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "someone was faster" in answer.json()["detail"]


async def test_an_unknown_ticket_is_not_found(client: AsyncClient) -> None:
    """There is nothing to decline."""
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=wish("ann"))
    assert answer.status_code == 404


async def test_a_bad_decline_names_every_bad_field(client: AsyncClient) -> None:
    """As at every door of ours."""
    answer = await client.post(f"/v1/tickets/{T1}/decline", json={"reason": "a\nb", "why": "?"})
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert sorted(fields) == ["reason", "specialist_id", "why"]


async def test_a_team_lead_sees_who_holds_how_much(db: Database, client: AsyncClient) -> None:
    """A line for each person on the roster."""
    await given(db, a_specialist("ann", capacity={"email": 3}), a_ticket("T1"))
    [person] = (await client.get("/v1/specialists")).json()
    assert person["specialist_id"] == "ann"
    assert person["channels"]["email"] == {"capacity": 3, "load": 1}


async def test_a_decision_can_be_read_and_follows_from_its_record(
    db: Database, client: AsyncClient
) -> None:
    """Each of a ticket, the oldest first: it waited, somebody came, somebody declined."""
    await given(db, a_ticket("T1"))
    await given(db, a_specialist("ann"), a_specialist("ben", presence="away"), after_min=2)
    await client.post(f"/v1/tickets/{T1}/decline", json=wish("ann"))
    answer = (await client.get(f"/v1/tickets/{T1}/decision")).json()
    records = [AssignmentExplained.model_validate(one) for one in answer["decisions"]]
    assert [record.specialist_id for record in records] == [None, "ann", None]
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
    assert [one.failed for one in records[2].candidates] == ["set_aside", "presence"]


async def test_what_was_never_decided_is_not_found(client: AsyncClient) -> None:
    """There is nothing to explain."""
    assert (await client.get(f"/v1/tickets/{T1}/decision")).status_code == 404


async def test_old_decisions_are_forgotten(db: Database, client: AsyncClient) -> None:
    """After 14 days, and not before."""
    await given(db, a_ticket("T1"), a_ticket("T2"))
    async with db.transaction() as tx:
        await tx.execute(AGED, T1, timedelta(days=15))
        await tx.execute(AGED, T2, timedelta(days=13))
        assert await ticket_store.forget_decisions(tx, limit=10) == 1
    assert (await client.get(f"/v1/tickets/{T1}/decision")).status_code == 404
    assert (await client.get(f"/v1/tickets/{T2}/decision")).status_code == 200
