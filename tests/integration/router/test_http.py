"""Router's API: the effect of a decline, and what a lead can read."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from httpx import AsyncClient
from tests.integration.router.conftest import api_client

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
    """Connect as router."""
    db = Database(fresh.dsn, service="router")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(fresh: FreshDatabase, db: Database) -> AsyncIterator[AsyncClient]:
    """Yield an API client."""
    async with api_client(fresh, db, RoutingService(default_rules())) as client:
        yield client


async def apply(db: Database, *envelopes: Envelope[Event], after_min: float = 1) -> None:
    """Apply events, some minutes after noon."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).apply_events(tx, envelopes, NOON + minutes(after_min))


def reason_body(specialist_id: str) -> dict[str, str]:
    """Build the body of a decline."""
    return {"specialist_id": specialist_id, "reason": "not my field"}


async def test_a_declined_ticket_is_assigned_in_the_same_transaction(
    db: Database, client: AsyncClient
) -> None:
    """The response names the new specialist; the reason is announced."""
    await apply(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=reason_body("ann"))
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "assigned", "ticket_id": str(T1), "specialist_id": "ben"}
    async with db.session() as session:
        assert await session.fetchval(DECLINED) == "not my field"


async def test_a_declined_ticket_waits_if_no_other_specialist_has_room(
    db: Database, client: AsyncClient
) -> None:
    """It is in the queue again, with its age."""
    await apply(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben", presence="away"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=reason_body("ann"))
    assert answer.json() == {"outcome": "waiting", "ticket_id": str(T1), "specialist_id": None}
    [pool] = (await client.get("/v1/queue")).json()
    assert (pool["channel"], pool["language"], pool["waiting"]) == ("email", "en", 1)
    assert pool["oldest_s"] > 0


async def test_only_the_assigned_specialist_can_decline(db: Database, client: AsyncClient) -> None:
    """Others get 409 with the reason, and nothing changes."""
    await apply(db, a_specialist("ann"), a_ticket("T1"))
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=reason_body("ben"))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "someone was faster" in answer.json()["detail"]


async def test_an_unknown_ticket_is_not_found(client: AsyncClient) -> None:
    """It cannot be declined."""
    answer = await client.post(f"/v1/tickets/{T1}/decline", json=reason_body("ann"))
    assert answer.status_code == 404


async def test_a_bad_decline_names_every_bad_field(client: AsyncClient) -> None:
    """As every API of the project does."""
    answer = await client.post(f"/v1/tickets/{T1}/decline", json={"reason": "a\nb", "why": "?"})
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert sorted(fields) == ["reason", "specialist_id", "why"]


async def test_specialists_are_listed_with_their_load(db: Database, client: AsyncClient) -> None:
    """One entry for each specialist on the roster."""
    await apply(db, a_specialist("ann", capacity={"email": 3}), a_ticket("T1"))
    [specialist] = (await client.get("/v1/specialists")).json()
    assert specialist["specialist_id"] == "ann"
    assert specialist["channels"]["email"] == {"capacity": 3, "load": 1}


async def test_a_decision_can_be_read_and_follows_from_its_record(
    db: Database, client: AsyncClient
) -> None:
    """All of a ticket, the oldest first: it waited, was assigned, was declined."""
    await apply(db, a_ticket("T1"))
    await apply(db, a_specialist("ann"), a_specialist("ben", presence="away"), after_min=2)
    await client.post(f"/v1/tickets/{T1}/decline", json=reason_body("ann"))
    answer = (await client.get(f"/v1/tickets/{T1}/decision")).json()
    records = [AssignmentExplained.model_validate(one) for one in answer["decisions"]]
    assert [record.specialist_id for record in records] == [None, "ann", None]
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
    assert [one.failed for one in records[2].candidates] == ["set_aside", "presence"]


async def test_a_ticket_without_a_decision_is_not_found(client: AsyncClient) -> None:
    """There is no record to return."""
    assert (await client.get(f"/v1/tickets/{T1}/decision")).status_code == 404


async def test_old_decision_records_are_deleted(db: Database, client: AsyncClient) -> None:
    """After 14 days, and not before."""
    await apply(db, a_ticket("T1"), a_ticket("T2"))
    async with db.transaction() as tx:
        await tx.execute(AGED, T1, timedelta(days=15))
        await tx.execute(AGED, T2, timedelta(days=13))
        assert await ticket_store.delete_old_decisions(tx, limit=10) == 1
    assert (await client.get(f"/v1/tickets/{T1}/decision")).status_code == 404
    assert (await client.get(f"/v1/tickets/{T2}/decision")).status_code == 200
