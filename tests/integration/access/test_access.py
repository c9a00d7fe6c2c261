"""The doors that want keys on a real PostgreSQL: who may enter, and how fast."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, cast

import asyncpg
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from tests.integration.access.keyed_service import Door, Hand

import intake.api.app
import router.api.app
import sla_monitor.api.app
from intake.domain import NumberKeys
from intake.idempotency import make_reception
from intake.store.access import sources_of
from intake.webhooks import Secrets
from premium.keys.store import connected
from router.domain.matching import default_rules
from router.service.routing import RoutingService
from router.store.access import specialists_of
from shared.events import ticket_id_of
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES, ApiKey, Keyed, make_key
from shared.platform.http import ops_routes
from shared.platform.postgres import Database
from shared.testing.databases import MakeDatabase
from sla_monitor.store.access import accounts_of

NO_TICKET: Final = f"/v1/tickets/{ticket_id_of('form', 'never sent')}"
EXPIRE = "UPDATE access_key SET expires_at = now() WHERE prefix = $1"
RENAME = "UPDATE access_key SET prefix = $1 WHERE prefix = $2"
FORGE = {
    "intake": "INSERT INTO source_owner (source, tenant) VALUES ('form', 'southwind')",
    "sla-monitor": "UPDATE access_key SET accounts = NULL",
    "router": "INSERT INTO specialist_voice (specialist_id, tenant) VALUES ('ann', 'southwind')",
}
WIDEN = "UPDATE access_key SET scopes = '{tickets:read}'"
ADD = """
    INSERT INTO access_key (prefix, digest, tenant, name, slot, scopes, rate_per_s, burst)
    VALUES ('00000000', sha256('')::bytea, 'southwind', 'forged', 1, '{}', 1, 1)
"""
CHALLENGE: Final = 'Bearer realm="premium-support"'
LAST_USED = "SELECT last_used_at FROM access_key WHERE prefix = $1"
LONG_AGO = "UPDATE access_key SET last_used_at = now() - interval '59 seconds' WHERE prefix = $1"
KEPT = "SELECT string_agg(access_key::text, ' ') FROM access_key"


@pytest.fixture(params=SCOPES)
async def service(request: pytest.FixtureRequest) -> Keyed:
    """Have each service in turn."""
    return cast("Keyed", request.param)


@pytest.fixture
async def door(service: Keyed, database: MakeDatabase) -> AsyncIterator[Door]:
    """Open the door, without a key in hand."""
    fresh = await database(service.replace("-", "_"))
    db = Database(fresh.dsn, service=service)
    await db.start()
    hand = Hand()
    if service == "intake":
        access, path, answer = Authenticator(db, sources_of, hand), NO_TICKET, 404
        app = intake_behind(db, access)
    elif service == "sla-monitor":
        access, path, answer = Authenticator(db, accounts_of, hand), f"{NO_TICKET}/clocks", 404
        app = sla_monitor.api.app.make_app(db, access, ops_routes({}))
    else:
        access, path, answer = Authenticator(db, specialists_of, hand), "/v1/queue", 200
        app = router.api.app.make_app(db, RoutingService(default_rules()), access, ops_routes({}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as http:
        yield Door(service, http, access, hand, fresh.owner_dsn, path, answer)
    await db.stop()


def intake_behind(db: Database, access: Authenticator) -> FastAPI:
    """Build intake, which nobody sends anything here."""
    keys = NumberKeys("a secret of the tests")
    parts = intake.api.app.Parts(db, access, Secrets(None), make_reception(db, keys), keys)
    return intake.api.app.make_app(parts, ops_routes({}))


async def test_without_a_key_in_force_nobody_enters(door: Door) -> None:
    """None, an unknown, an expired and a revoked one are told the same, and no more."""
    expired, revoked = [await door.key(tenant) for tenant in ("a", "b")]
    await door.told(EXPIRE, expired.prefix)
    await door.end(revoked)
    answers = [await door.ask(key) for key in (None, make_key(), expired, revoked)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    challenges = [answer.headers["www-authenticate"] for answer in answers]
    assert challenges == [CHALLENGE, *[f'{CHALLENGE}, error="invalid_token"'] * 3]
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_nothing_can_be_asked_without_a_key(door: Door) -> None:
    """Every operation of the API wants one, and its document says so."""
    document = (await door.http.get("/openapi.json")).json()
    operations = [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        if path.startswith("/v1/") and not path.startswith("/v1/webhooks/")
        for verb, operation in verbs.items()
    ]
    for verb, path, operation in operations:
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "403", "429"} <= operation["responses"].keys()
        assert (await door.http.request(verb, path)).status_code == 401
    assert operations


async def test_the_right_prefix_is_no_key(door: Door) -> None:
    """A well-formed key that has another's prefix is as unknown as any."""
    other = make_key()
    await door.told(RENAME, other.prefix, (await door.key()).prefix)
    answer = await door.ask(other)
    assert answer.status_code == 401
    assert "in force" in answer.json()["detail"]


async def test_a_mistyped_key_is_told_so(door: Door) -> None:
    """Its checksum says it; nobody has to look it up."""
    key = await door.key()
    answer = await door.ask(ApiKey(key.prefix, key.text[:-1]))
    assert answer.status_code == 401
    assert "typing error" in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json", "/docs"])
async def test_those_who_run_it_need_no_key(door: Door, path: str) -> None:
    """Health, readiness, figures and the API's description are open."""
    assert (await door.http.get(path)).status_code == 200


async def test_a_revoked_key_is_refused_within_a_second(door: Door) -> None:
    """Though it was in use up to then; the one that replaces it counts before and after."""
    key = await door.key()
    second = await door.second_key()
    assert [(await door.ask(k)).status_code for k in (key, second)] == [door.answer] * 2
    await door.end(key)
    door.hand.now_s += 1.0
    assert [(await door.ask(k)).status_code for k in (key, second)] == [401, door.answer]


async def test_a_key_for_nothing_does_nothing(door: Door) -> None:
    """Who lacks a scope hears which, and what to do; another door's scopes are none here."""
    foreign = SCOPES["router" if door.service == "intake" else "intake"]
    for key in (await door.key("a", []), await door.key("b", foreign)):
        answer = await door.ask(key)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert "have one made with `--scope " in answer.json()["detail"]
        assert 'error="insufficient_scope", scope="' in answer.headers["www-authenticate"]


async def test_who_asks_too_fast_is_told_when_to_come_again(door: Door) -> None:
    """Each answer says how much is left; another key is not held up."""
    key, other = await door.key("a", burst=2), await door.key("b")
    first, second, third = [await door.ask(key) for _ in range(3)]
    assert [a.status_code for a in (first, second, third)] == [door.answer, door.answer, 429]
    left = [answer.headers["ratelimit"] for answer in (first, second, third)]
    assert left == ['"key";r=1;t=1', '"key";r=0;t=1', '"key";r=0;t=1']
    assert third.headers["ratelimit-policy"] == '"key";q=2;w=2'
    assert third.headers["retry-after"] == "1"
    assert (await door.ask(other)).status_code == door.answer
    door.hand.now_s += 1
    assert (await door.ask(key)).status_code == door.answer


async def test_the_uses_of_a_key_are_noted(door: Door) -> None:
    """In the background, and at most once a minute."""
    key = await door.key()
    await door.ask(key)
    assert await door.told(LAST_USED, key.prefix) is None
    await door.access.note()
    assert await door.told(LAST_USED, key.prefix) is not None
    await door.told(LONG_AGO, key.prefix)
    noted = await door.told(LAST_USED, key.prefix)
    await door.ask(key)
    await door.access.note()
    assert await door.told(LAST_USED, key.prefix) == noted


async def test_the_rest_of_the_uses_is_noted_at_the_end(door: Door) -> None:
    """Who stops does not forget."""
    key = await door.key()
    await door.access.start()
    await door.ask(key)
    await door.access.stop()
    assert await door.told(LAST_USED, key.prefix) is not None


async def test_the_service_itself_can_make_no_keys(service: Keyed, database: MakeDatabase) -> None:
    """Whoever makes it run a statement of theirs has no key, and speaks for nobody, by it."""
    db = Database((await database(service.replace("-", "_"))).dsn, service=service)
    await db.start()
    for statement in (FORGE[service], WIDEN, ADD):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(statement)
    await db.stop()


async def test_a_key_in_use_costs_no_round_trip(door: Door) -> None:
    """While the lock on the keys is held by somebody else, requests go on."""
    key = await door.key()
    await door.ask(key)
    async with connected(door.owner_dsn) as owner, asyncio.timeout(10):
        await owner.execute("LOCK TABLE access_key IN ACCESS EXCLUSIVE MODE")
        door.hand.now_s += 0.9
        assert (await door.ask(key)).status_code == door.answer


async def test_no_key_is_kept_or_logged(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither one that lets in, nor one that does not."""
    keys = (await door.key(), make_key())
    for key in keys:
        await door.ask(key)
    await door.access.note()
    seen = f"{await door.told(KEPT)} {''.join(capfd.readouterr())}"
    assert not [key for key in keys if key.text.split("_")[2] in seen]
    assert keys[0].prefix in seen
