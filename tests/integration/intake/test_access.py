"""Intake's door on a real PostgreSQL: who may enter, for what, and how fast."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.integration.intake.conftest import KEYS, listed

from intake import handlers
from intake.access import Access
from intake.http import Parts, make_app
from intake.reception import Reception
from intake.webhooks import Secrets
from premium.stack.keys import Grant, connected, create, revoke
from shared.http import ops_routes
from shared.keys import SCOPES, ApiKey, Scope, make_key
from shared.postgres import Database
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
EXPIRE = "UPDATE access_key SET expires_at = now() WHERE prefix = $1"
RENAME = "UPDATE access_key SET prefix = $1 WHERE prefix = $2"
FORGE = "INSERT INTO source_owner (source, tenant) VALUES ('form', 'southwind')"
WIDEN = "UPDATE access_key SET scopes = '{tickets:read}'"
LAST_USED = "SELECT last_used_at FROM access_key WHERE prefix = $1"
LONG_AGO = "UPDATE access_key SET last_used_at = now() - interval '59 seconds' WHERE prefix = $1"


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


class Door:
    """Intake's door, and the operator who makes keys for it."""

    def __init__(self, http: AsyncClient, access: Access, hand: Hand, owner_dsn: str) -> None:
        self.http = http
        self.access = access
        self.hand = hand
        self.owner_dsn = owner_dsn

    async def key(
        self,
        tenant: str = "northwind",
        scopes: Sequence[Scope] = SCOPES,
        sources: Sequence[str] = ("form",),
        burst: int = 1000,
    ) -> ApiKey:
        """Make a key."""
        async with connected(self.owner_dsn) as owner:
            grant = Grant(tenant, "test", scopes, sources, rate_per_s=1, burst=burst)
            return await create(owner, grant)

    async def told(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - a column is any
        """Ask the database, as the owner."""
        async with connected(self.owner_dsn) as owner:
            return await owner.fetchval(statement, *values)

    async def post(self, key: ApiKey, **changes: object) -> Response:
        """Send a request."""
        return await self.http.post("/v1/tickets", json=REQUEST | changes, headers=shown(key))

    async def get(self, key: ApiKey, ticket_id: str) -> Response:
        """Read a ticket."""
        return await self.http.get(f"/v1/tickets/{ticket_id}", headers=shown(key))


@pytest.fixture
async def door(fresh: FreshDatabase, db: Database, reception: Reception) -> AsyncIterator[Door]:
    """Open the door, without a key in hand."""
    async with db.transaction() as tx:
        await handlers.take(tx, [listed()], NOON, keys=KEYS)
    hand = Hand()
    access = Access(db, hand)
    parts = Parts(db, access, Secrets(None), reception, KEYS)
    transport = ASGITransport(make_app(parts, ops_routes({})))
    async with AsyncClient(transport=transport, base_url="http://intake") as http:
        yield Door(http, access, hand, fresh.owner_dsn)


def shown(key: ApiKey) -> dict[str, str]:
    """Show a key."""
    return {"authorization": f"Bearer {key.text}"}


async def test_without_a_key_in_force_nobody_enters(door: Door) -> None:
    """None, an unknown, an expired and a revoked one are told the same, and no more."""
    expired, revoked = [await door.key(tenant, SCOPES, [tenant]) for tenant in ("a", "b")]
    await door.told(EXPIRE, expired.prefix)
    async with connected(door.owner_dsn) as owner:
        await revoke(owner, revoked.prefix)
    answers = [await door.http.post("/v1/tickets", json=REQUEST)]
    answers += [await door.post(key) for key in (make_key(), expired, revoked)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_the_right_prefix_is_no_key(door: Door) -> None:
    """A well-formed key that has another's prefix is as unknown as any."""
    other = make_key()
    await door.told(RENAME, other.prefix, (await door.key()).prefix)
    answer = await door.post(other)
    assert answer.status_code == 401
    assert "in force" in answer.json()["detail"]


async def test_a_mistyped_key_is_told_so(door: Door) -> None:
    """Its checksum says it; nobody has to look it up."""
    key = await door.key()
    answer = await door.post(ApiKey(key.prefix, key.text[:-1]))
    assert answer.status_code == 401
    assert "typing error" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
async def test_those_who_run_it_need_no_key(door: Door, path: str) -> None:
    """Health, readiness, figures and the API's description are open."""
    assert (await door.http.get(path)).status_code == 200


async def test_a_revoked_key_is_refused_within_a_second(door: Door) -> None:
    """Though it was in use up to then."""
    key = await door.key()
    assert (await door.post(key)).status_code == 202
    async with connected(door.owner_dsn) as owner:
        await revoke(owner, key.prefix)
    door.hand.now_s += 1.0
    assert (await door.post(key)).status_code == 401


async def test_a_key_does_what_it_was_made_for(door: Door) -> None:
    """Who lacks a scope hears which, and what to do."""
    writer = await door.key("a", ["tickets:write"], ["form"])
    reader = await door.key("b", ["tickets:read"], ["desk"])
    taken = await door.post(writer)
    assert taken.status_code == 202
    for answer in (
        await door.post(reader),
        await door.http.post("/v1/events", json=FACT, headers=shown(reader)),
    ):
        assert answer.status_code == 403
        assert "--scope tickets:write" in answer.json()["detail"]
    refused = await door.get(writer, taken.json()["ticket_id"])
    assert refused.status_code == 403
    assert "tickets:read" in refused.json()["detail"]


async def test_a_tenant_speaks_for_its_own_sources(door: Door) -> None:
    """Requests and later facts alike; the refusal names the source and the remedy."""
    await door.key("northwind", SCOPES, ["form"])
    other = await door.key("southwind", SCOPES, ["desk"])
    for answer in (
        await door.post(other),
        await door.http.post("/v1/events", json=FACT, headers=shown(other)),
    ):
        assert answer.status_code == 403
        assert "'form'" in answer.json()["detail"]
        assert "premium keys create southwind" in answer.json()["detail"]
    assert (await door.post(other, source="desk")).status_code == 202


async def test_a_tenant_reads_its_own_tickets(door: Door) -> None:
    """Another's is not there, and is not told from one that never was."""
    mine = await door.key("northwind", SCOPES, ["form"])
    other = await door.key("southwind", SCOPES, ["desk"])
    ticket_id = (await door.post(mine)).json()["ticket_id"]
    assert (await door.get(mine, ticket_id)).status_code == 200
    foreign = await door.get(other, ticket_id)
    assert foreign.status_code == 404
    assert foreign.json()["detail"] == f"there is no ticket {ticket_id}"


async def test_who_asks_too_fast_is_told_when_to_come_again(door: Door) -> None:
    """Each answer says how much is left; another key is not held up."""
    key = await door.key("a", burst=2)
    other = await door.key("b", SCOPES, ["desk"])
    first, second, third = [await door.post(key) for _ in range(3)]
    assert [answer.status_code for answer in (first, second, third)] == [202, 200, 429]
    left = [answer.headers["ratelimit-remaining"] for answer in (first, second, third)]
    assert left == ["1", "0", "0"]
    assert (third.headers["ratelimit-limit"], third.headers["ratelimit-reset"]) == ("2", "2")
    assert third.headers["retry-after"] == "1"
    assert (await door.post(other, source="desk")).status_code == 202
    door.hand.now_s += 1
    assert (await door.post(key)).status_code == 200


async def test_a_body_is_not_read_before_its_sender_is_known(door: Door) -> None:
    """A stranger's is not read at all; a tenant's is cut off at its limit."""
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b" " * 64 * 1024

    stranger = await door.http.post("/v1/tickets", content=endless())
    assert (stranger.status_code, read) == (401, [])
    key = await door.key()
    tenant = await door.http.post("/v1/tickets", content=endless(), headers=shown(key))
    assert (tenant.status_code, len(read)) == (413, 5)


async def test_the_uses_of_a_key_are_noted(door: Door) -> None:
    """In the background, and at most once a minute."""
    key = await door.key()
    await door.post(key)
    assert await door.told(LAST_USED, key.prefix) is None
    await door.access.note()
    assert await door.told(LAST_USED, key.prefix) is not None
    await door.told(LONG_AGO, key.prefix)
    noted = await door.told(LAST_USED, key.prefix)
    await door.post(key)
    await door.access.note()
    assert await door.told(LAST_USED, key.prefix) == noted


async def test_the_rest_of_the_uses_is_noted_at_the_end(door: Door) -> None:
    """Who stops does not forget."""
    key = await door.key()
    await door.access.start()
    await door.post(key)
    await door.access.stop()
    assert await door.told(LAST_USED, key.prefix) is not None


@pytest.mark.parametrize("statement", [FORGE, WIDEN])
async def test_intake_itself_can_make_no_keys(db: Database, statement: str) -> None:
    """Whoever makes it run a statement of theirs has no key and no source by it."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction() as tx:
            await tx.execute(statement)


async def test_a_key_in_use_costs_no_round_trip(door: Door) -> None:
    """While the lock on the keys is held by somebody else, requests go on."""
    key = await door.key()
    await door.post(key)
    async with connected(door.owner_dsn) as owner, asyncio.timeout(10):
        await owner.execute("LOCK TABLE access_key IN ACCESS EXCLUSIVE MODE")
        door.hand.now_s += 0.9
        assert (await door.post(key)).status_code == 200
