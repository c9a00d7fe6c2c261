"""Offers over HTTP and on a real PostgreSQL: commands, heartbeats, expiring leases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, Final

import asyncpg
import pytest
from httpx import AsyncClient, Response
from tests.chaos.invariants import violations_in_facts, violations_in_tables
from tests.chaos.random_actions import Router, execute_random_action, prepare
from tests.integration.router.conftest import api_client

from router.sweep import Sweeper
from shared.basics.clock import wait_at_most
from shared.events import Envelope, Event, ticket_id_of
from shared.platform import idempotency
from shared.platform.idempotency import make_key
from shared.platform.postgres import Database, now
from shared.testing.builders import a_specialist, a_ticket
from shared.testing.databases import FreshDatabase, MakeDatabase

T1 = ticket_id_of("test", "T1")
LOOK_S: Final = 0.01
WAIT_S_MAX: Final = 30
TYPES = """
    SELECT (SELECT pair ->> 1 FROM json_array_elements(headers::json) AS pair
            WHERE pair ->> 0 = 'ce_type')
    FROM outbox ORDER BY id
"""
TRACES = TYPES.replace("ce_type", "traceparent")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ACTS = "SELECT kind, actor, from_id, to_id, reason, at FROM act ORDER BY act_id"
OVERLOAD = "UPDATE capacity SET load = capacity + 1"
RING_TWICE = """
    INSERT INTO offer SELECT gen_random_uuid(), ticket_id, specialist_id, offered_at, lease_ends_at,
        state, settled_at FROM offer
"""
OLDER = "UPDATE idempotency_key SET kept_at = kept_at - interval '7 days 1 second'"
STATES = "SELECT state FROM offer"
DONE = "SELECT kind FROM act"
LEASE = "SELECT presence_until FROM presence"
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'router' AND xact_start IS NOT NULL
    ORDER BY random() LIMIT 1
"""


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Router]:
    """Connect as router."""
    db = Router(fresh.dsn)
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def client(fresh: FreshDatabase, db: Router) -> AsyncIterator[AsyncClient]:
    """Yield an API client."""
    async with api_client(fresh, db, db.routing) as client:
        client.base_url = client.base_url.join("/v1")
        yield client


async def apply(db: Router, *envelopes: Envelope[Event]) -> None:
    """Apply events now."""
    async with db.transaction() as tx:
        await db.routing.apply_events(tx, envelopes, await now(tx))


async def read(db: Database, query: str) -> list[Any]:
    """Return the only column of a query."""
    async with db.session() as session:
        return [row[0] for row in await session.fetch(query)]


async def ringing(client: AsyncClient, who: str) -> list[dict[str, Any]]:
    """Return a specialist's open offers."""
    found: list[dict[str, Any]] = (
        await client.get("/offers", params={"specialist_id": who})
    ).json()
    return found


async def post(client: AsyncClient, path: str, **body: object) -> Response:
    """Send a command."""
    return await client.post(path, json=body)


async def test_an_offer_is_listed_and_accepted(db: Router, client: AsyncClient) -> None:
    """Accepted twice, it has one effect and the same response."""
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    [offer] = await ringing(client, "ann")
    assert (offer["ticket_id"], offer["channel"]) == (str(T1), "chat")
    accept = f"/offers/{offer['offer_id']}/accept"
    answers = [await post(client, accept, specialist_id="ann") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json() == {
        "outcome": "assigned",
        "ticket_id": str(T1),
        "specialist_id": "ann",
    }
    assert await ringing(client, "ann") == []
    assert await read(db, TYPES) == [
        "premium.ticket.offered.v1",
        "premium.assignment.explained.v1",
        "premium.offer.accepted.v1",
        "premium.ticket.assigned.v1",
    ]


async def test_simultaneous_clicks_are_one_command(db: Router, client: AsyncClient) -> None:
    """Both get the response of the first."""
    await apply(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
    back = {"specialist_id": "ann", "reason": "leaves"}
    answers = await asyncio.gather(
        *(post(client, f"/tickets/{T1}/hand-back", **back) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["specialist_id"] == "ben"
    assert (await read(db, TYPES)).count("premium.assignment.handed_back.v1") == 1


async def test_an_idempotency_key_executes_a_command_once(db: Router, client: AsyncClient) -> None:
    """A decline is repeated after a lost response, when the ticket is assigned to them again."""
    await client.put("/rules", json={"rings": {}})
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    decline = {"specialist_id": "ann", "reason": "busy"}
    key = {"idempotency-key": "declines-1"}
    answers = [
        await client.post(f"/tickets/{T1}/decline", json=decline, headers=key) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    assert (answers[0].json()["outcome"], answers[0].json()["specialist_id"]) == ("assigned", "ann")
    assert (await read(db, TYPES)).count("premium.assignment.declined.v1") == 1
    other = await client.post(
        f"/tickets/{T1}/responded", json={"specialist_id": "ann"}, headers=key
    )
    assert other.status_code == 422
    assert "send a new key" in other.json()["detail"]
    assert [error["field"] for error in other.json()["errors"]] == ["Idempotency-Key"]
    async with db.transaction() as tx:
        await tx.execute(OLDER)
        assert await idempotency.prune(tx, limit=10) == 1
    await client.post(f"/tickets/{T1}/decline", json=decline, headers=key)
    assert (await read(db, TYPES)).count("premium.assignment.declined.v1") == 2


async def test_simultaneous_requests_with_one_key_are_one_command(
    db: Router, client: AsyncClient
) -> None:
    """All get the response of the first, though the ticket came back meanwhile."""
    await client.put("/rules", json={"rings": {}})
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    decline = {"specialist_id": "ann", "reason": "busy"}
    key = {"idempotency-key": "declines-1"}
    answers = await asyncio.gather(
        *(client.post(f"/tickets/{T1}/decline", json=decline, headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert (await read(db, TYPES)).count("premium.assignment.declined.v1") == 1


async def test_a_key_whose_first_request_is_in_progress_is_refused(
    db: Router, client: AsyncClient
) -> None:
    """After two seconds: 409, with the time after which to try again."""
    async with db.transaction() as tx:
        await idempotency.claim(tx, [make_key("back-1", b"", "tenant", "desk").digest])
        answer = await client.post("/specialists/ann/back", headers={"idempotency-key": "back-1"})
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


async def test_a_refused_command_does_not_use_its_key(db: Router, client: AsyncClient) -> None:
    """It may be sent again once it is possible."""
    key = {"idempotency-key": "k-1"}
    body = {"specialist_id": "ann"}
    refused = await client.post(f"/tickets/{T1}/responded", json=body, headers=key)
    assert refused.status_code == 404
    await apply(db, a_specialist("ann"), a_ticket("T1"))
    done = await client.post(f"/tickets/{T1}/responded", json=body, headers=key)
    assert done.status_code == 200


async def test_a_late_command_is_refused_with_the_reason(db: Router, client: AsyncClient) -> None:
    """Another's offer: 404; declined before, or no longer theirs: 409."""
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    [offer] = await ringing(client, "ann")
    await apply(db, a_specialist("ben"))
    offers = f"/offers/{offer['offer_id']}"
    theirs = await post(client, f"{offers}/accept", specialist_id="ben")
    assert (theirs.status_code, theirs.json()["detail"]) == (
        404,
        f"ben has no offer {offer['offer_id']}",
    )
    await post(client, f"{offers}/decline", specialist_id="ann", reason="in a call")
    late = await post(client, f"{offers}/accept", specialist_id="ann")
    assert (late.status_code, late.json()["detail"]) == (
        409,
        "this offer was declined: the ticket went on to others",
    )
    responded = await post(client, f"/tickets/{T1}/responded", specialist_id="ann")
    assert responded.status_code == 409
    assert "someone was faster" in responded.json()["detail"]


async def test_a_leads_commands_are_recorded(db: Router, client: AsyncClient) -> None:
    """With lead, time, both specialists and reason."""
    await apply(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
    move = {"to": "ben", "by": "lea", "reason": "knows them"}
    assert (await post(client, f"/tickets/{T1}/move", **move)).status_code == 200
    pin = {"to": "ben", "by": "lea", "reason": "stays there"}
    assert (await post(client, f"/tickets/{T1}/pin", **pin)).status_code == 200
    async with db.session() as session:
        moved, pinned = await session.fetch(ACTS)
    assert moved[:5] == ("move", "lea (desk/test)", "ann", "ben", "knows them")
    assert isinstance(moved["at"], datetime)
    assert pinned[:5] == ("pin", "lea (desk/test)", "ben", "ben", "stays there")


@pytest.mark.parametrize(
    ("what", "more", "event_type"),
    [
        ("responded", {}, "premium.assignment.responded.v1"),
        ("confirm-severity", {}, "premium.severity.confirmed.v1"),
        ("reclassify", {"severity": "standard"}, "premium.severity.reclassified.v1"),
    ],
)
async def test_confirmed_and_changed_severities_are_announced(
    db: Router, client: AsyncClient, what: str, more: dict[str, str], event_type: str
) -> None:
    """Once, even if the request is repeated."""
    await apply(db, a_specialist("ann"), a_ticket("T1", severity="business_critical"))
    for _ in range(2):
        answer = await post(client, f"/tickets/{T1}/{what}", specialist_id="ann", **more)
        assert answer.status_code == 200
    assert (await read(db, TYPES)).count(event_type) == 1


async def test_a_heartbeat_renews_presence_and_its_absence_hands_back(
    db: Router, client: AsyncClient
) -> None:
    """The presence lapses in the database; the sweep applies it."""
    await client.put("/rules", json={"rings": {}, "presence_lease_s": 0.3})
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    leases = []
    for _ in range(2):
        answer = await post(client, "/specialists/ann/presence", presence="online")
        assert answer.status_code == 204
        leases += await read(db, LEASE)
    assert leases[0] < leases[1]
    sweeper = Sweeper(db, db.routing)
    await sweeper.start()
    await until(db, "premium.assignment.handed_back.v1")
    await sweeper.stop()
    [ann] = (await client.get("/specialists")).json()
    assert (ann["said"], ann["channels"]["chat"]["load"]) == ("offline", 0)


async def test_a_heartbeat_with_hand_back_frees_all_tickets(
    db: Router, client: AsyncClient
) -> None:
    """Even if the presence is the same as before."""
    await apply(db, a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
    for back in (False, True):
        body = {"presence": "away", "hand_back": back}
        await post(client, "/specialists/ann/presence", **body)
    assert (await read(db, TYPES))[-3:] == [
        "premium.assignment.handed_back.v1",
        "premium.ticket.assigned.v1",
        "premium.assignment.explained.v1",
    ]


@pytest.mark.parametrize(
    ("verb", "path"),
    [("GET", "/offers?specialist_id=%00"), ("POST", "/specialists/%00/presence")],
)
async def test_a_name_that_postgresql_cannot_hold_is_refused(
    client: AsyncClient, verb: str, path: str
) -> None:
    """The API refuses it before PostgreSQL does."""
    answer = await client.request(verb, path, json={"presence": "online"})
    assert answer.status_code == 400


async def test_a_heartbeat_of_an_unknown_specialist_is_refused(client: AsyncClient) -> None:
    """The specialist is not on the roster."""
    answer = await post(client, "/specialists/zoe/presence", presence="online")
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no specialist zoe")


async def test_the_sweep_applies_the_end_of_a_lease(db: Router, client: AsyncClient) -> None:
    """No event is needed."""
    await client.put("/rules", json={"rings": {"chat": {"cap_s": 0.2, "minimum_s": 0.2}}})
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    sweeper = Sweeper(db, db.routing)
    await sweeper.start()
    await until(db, "premium.offer.expired.v1")
    await sweeper.stop()


async def test_events_of_timers_continue_the_trace_of_the_request(
    db: Router, client: AsyncClient
) -> None:
    """The next offer comes long after the request's record."""
    await client.put("/rules", json={"rings": {"chat": {"cap_s": 0.2, "minimum_s": 0.2}}})
    await apply(db, replace(a_ticket("T1", channel="chat"), traceparent=TRACE))
    await apply(db, a_specialist("ann"), a_specialist("ben"))
    sweeper = Sweeper(db, db.routing)
    await sweeper.start()
    await until(db, "premium.offer.expired.v1")
    await sweeper.stop()
    assert set(await read(db, TRACES)) == {TRACE}


async def test_bad_rules_name_every_bad_field(client: AsyncClient) -> None:
    """They change nothing."""
    before = (await client.get("/rules")).json()
    bad = {"rings": {"chat": {"cap_s": 0, "share": 2}}, "colour": "red"}
    answer = await client.put("/rules", json=bad)
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"rings.chat.cap_s", "rings.chat.share", "colour"}
    assert (await client.get("/rules")).json() == before


async def test_being_away_after_unanswered_offers_ends_by_a_request(
    db: Router, client: AsyncClient
) -> None:
    """Heartbeats do not end it; the list of specialists has the reason."""
    sweeper = Sweeper(db, db.routing)
    await sweeper.start()
    quickly = {"phone": {"cap_s": 0.1, "minimum_s": 0.1}}
    await client.put("/rules", json={"rings": quickly, "away_after": 1})
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="phone"))
    await until(db, "premium.specialist.set_away.v1")
    await sweeper.stop()
    for path, body, away in (
        ("presence", {"presence": "online"}, "unanswered"),
        ("back", None, None),
    ):
        answer = await client.post(f"/specialists/ann/{path}", json=body)
        assert answer.status_code == 204
        [ann] = (await client.get("/specialists")).json()
        assert ann["away"] == away
    assert (await client.post("/specialists/nobody/back")).status_code == 404


@pytest.mark.parametrize("statement", [OVERLOAD, RING_TWICE])
async def test_postgresql_refuses_invalid_states(db: Router, statement: str) -> None:
    """Whatever failed before: no load exceeds a capacity, no ticket has two open offers."""
    await apply(db, a_specialist("ann"), a_ticket("T1", channel="chat"))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with db.transaction() as tx:
            await tx.execute(statement)


async def test_several_routers_violate_no_invariant(database: MakeDatabase) -> None:
    """Three at once, with random commands and cut connections; queries check the invariants."""
    dsn = (await database("router")).dsn
    routers = [Router(dsn, connections_max=2) for _ in range(3)]
    onlooker = Database(dsn, service="onlooker")
    for one in (*routers, onlooker):
        await one.start()
    await prepare(routers[0])

    async def work(router: Router, seed: int) -> None:
        random = Random(seed)  # noqa: S311 - a simulation
        for number in range(150):
            await execute_random_action(router, random)
            if number % 5 == seed:
                async with onlooker.session() as session:
                    await session.execute(CUT)
                assert await violations_in_tables(onlooker) == []

    await asyncio.gather(*(work(router, seed) for seed, router in enumerate(routers)))
    assert await violations_in_tables(onlooker) == []
    assert await violations_in_facts(onlooker) == []
    assert {"accepted", "declined", "expired", "withdrawn"} <= set(await read(onlooker, STATES))
    assert {"accept", "decline", "hand_back", "respond", "move"} <= set(await read(onlooker, DONE))
    for one in (*routers, onlooker):
        await one.stop()


async def until(db: Database, event_type: str) -> None:
    """Wait until an event is announced."""
    async with asyncio.timeout(WAIT_S_MAX):
        while event_type not in await read(db, TYPES):
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
