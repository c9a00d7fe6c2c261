"""Router's admin endpoints: sign-in links, and which roster records were read."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from structlog.testing import capture_logs
from tests.chaos.random_actions import Router

from router.api.app import make_app
from shared.platform.access import Authenticator
from shared.platform.postgres import now
from shared.testing.builders import a_specialist, removed
from shared.testing.databases import FreshDatabase
from shared.testing.keys import new_key
from shared.web import store as web_store
from shared.web.visitors import Person

LINKS = "/v1/admin/links"


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Router]:
    """Connect to router's database; ann and ben are on the roster, cleo left it."""
    db = Router(fresh.dsn)
    await db.start()
    async with db.transaction() as tx:
        events = [a_specialist("ann"), a_specialist("ben", after_min=1), a_specialist("cleo")]
        events.append(removed("cleo", after_min=1))
        await db.routing.apply_events(tx, events, await now(tx))
    yield db
    await db.stop()


@pytest.fixture
async def admin(db: Router, fresh: FreshDatabase) -> AsyncIterator[AsyncClient]:
    """Serve the API to a client with an admin key."""
    key = await new_key(fresh.owner_dsn, "router", name="admin", scopes=["admin"], owned=())
    transport = ASGITransport(make_app(db, db.routing, Authenticator(db), []))
    headers = {"authorization": f"Bearer {key.text}"}
    async with AsyncClient(transport=transport, base_url="http://router", headers=headers) as http:
        yield http


@pytest.mark.parametrize("lead", [False, True])
async def test_a_link_signs_its_person_in_once(admin: AsyncClient, db: Router, lead: bool) -> None:
    """The response has the link; the log has the person and the admin key, not the secret."""
    with capture_logs() as logs:
        answer = await admin.post(LINKS, json={"specialist_id": "ann", "lead": lead})
    assert answer.status_code == 201
    secret = answer.json()["path"].removeprefix("/sign-in/link/")
    async with db.transaction() as tx:
        used = [await web_store.use_link(tx, secret) for _ in range(2)]
    assert used == [Person("ann", lead=lead), None]
    [line] = logs
    assert (line["event"], line["by"], line["specialist_id"], line["lead"]) == (
        "link_created",
        "northwind/admin",
        "ann",
        lead,
    )
    assert secret not in str(logs)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"specialist_id": "zoe"}, "specialist_id"),
        ({"specialist_id": ""}, "specialist_id"),
        ({"specialist_id": "ann", "lead": "perhaps"}, "lead"),
        ({"specialist_id": "ann", "admin": True}, "admin"),
    ],
)
async def test_a_bad_field_of_a_link_is_named(
    admin: AsyncClient, body: dict[str, object], field: str
) -> None:
    """For a person who is not on the roster, the fault names the command that lists them."""
    answer = await admin.post(LINKS, json=body)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["field"] == field
    assert body["specialist_id"] != "zoe" or "premium roster import" in fault["fault"]


async def test_the_roster_is_listed_with_the_times_of_its_records(admin: AsyncClient) -> None:
    """An operator's command waits until the time of the record that it published."""
    listed = (await admin.get("/v1/admin/specialists")).json()
    assert [one["specialist_id"] for one in listed] == ["ann", "ben"]
    assert listed[0]["listed_at"] < listed[1]["listed_at"]
