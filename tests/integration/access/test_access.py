"""API keys of all services on a real PostgreSQL: authentication, scopes, rate limits."""

import asyncio
from typing import Final

import asyncpg
import pytest
from tests.integration.access.keyed_service import KeyedApi

from shared.platform.api_keys import SCOPES, ApiKey, Keyed, make_key
from shared.platform.postgres import Database
from shared.testing.databases import MakeDatabase
from shared.testing.keys import connected

EXPIRE = "UPDATE access_key SET expires_at = now() WHERE prefix = $1"
RENAME = "UPDATE access_key SET prefix = $1 WHERE prefix = $2"
WIDEN = "UPDATE access_key SET scopes = '{tickets:read}'"
REVIVE = "UPDATE access_key SET expires_at = NULL"
FORGET = "DELETE FROM access_key"
TAKE = "UPDATE access_owned SET holder = 'southwind'"
CHALLENGE: Final = 'Bearer realm="premium-support"'
LAST_USED = "SELECT last_used_at FROM access_key WHERE prefix = $1"
LONG_AGO = "UPDATE access_key SET last_used_at = now() - interval '59 seconds' WHERE prefix = $1"
KEPT = "SELECT string_agg(access_key::text, ' ') FROM access_key"


async def test_only_a_key_in_force_is_accepted(api: KeyedApi) -> None:
    """Missing, unknown, expired and revoked keys get the same response."""
    expired, revoked = [await api.key(tenant) for tenant in ("a", "b")]
    await api.stored(EXPIRE, expired.prefix)
    await api.end(revoked)
    answers = [await api.ask(key) for key in (None, make_key(), expired, revoked)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    challenges = [answer.headers["www-authenticate"] for answer in answers]
    assert challenges == [CHALLENGE, *[f'{CHALLENGE}, error="invalid_token"'] * 3]
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_every_operation_requires_a_key(api: KeyedApi) -> None:
    """Every operation requires one, and its OpenAPI document declares it."""
    document = (await api.http.get("/openapi.json")).json()
    operations = [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        if path.startswith("/v1/") and not path.startswith("/v1/webhooks/")
        for verb, operation in verbs.items()
    ]
    for verb, path, operation in operations:
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "403", "429"} <= operation["responses"].keys()
        assert (await api.http.request(verb, path)).status_code == 401
    assert operations


async def test_the_prefix_alone_is_not_enough(api: KeyedApi) -> None:
    """A well-formed key with another key's prefix is unknown."""
    other = make_key()
    await api.stored(RENAME, other.prefix, (await api.key()).prefix)
    answer = await api.ask(other)
    assert answer.status_code == 401
    assert "in force" in answer.json()["detail"]


async def test_a_malformed_key_is_reported(api: KeyedApi) -> None:
    """The checksum reveals it, without a database lookup."""
    key = await api.key()
    answer = await api.ask(ApiKey(key.prefix, key.text[:-1]))
    assert answer.status_code == 401
    assert "malformed" in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json", "/docs"])
async def test_operations_endpoints_need_no_key(api: KeyedApi, path: str) -> None:
    """Health, readiness, metrics and the OpenAPI document need no key."""
    assert (await api.http.get(path)).status_code == 200


async def test_a_revoked_key_is_refused_within_a_second(api: KeyedApi) -> None:
    """Even if it was in use; the key that replaces it is valid before and after."""
    key = await api.key()
    second = await api.second_key()
    assert [(await api.ask(k)).status_code for k in (key, second)] == [api.answer] * 2
    await api.end(key)
    api.clock.now_s += 1.0
    assert [(await api.ask(k)).status_code for k in (key, second)] == [401, api.answer]


async def test_a_missing_scope_is_refused_and_named(api: KeyedApi) -> None:
    """A missing scope is named with the remedy; other services' scopes do not count."""
    foreign = set(SCOPES["router" if api.service == "intake" else "intake"]) - {"admin"}
    for key in (await api.key("a", ["other:read"]), await api.key("b", sorted(foreign))):
        answer = await api.ask(key)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert "have one made with `--scope " in answer.json()["detail"]
        assert 'error="insufficient_scope", scope="' in answer.headers["www-authenticate"]


async def test_the_rate_limit_has_a_retry_time(api: KeyedApi) -> None:
    """Each response has the remaining requests; other keys are not affected."""
    key, other = await api.key("a", burst=2), await api.key("b")
    first, second, third = [await api.ask(key) for _ in range(3)]
    assert [a.status_code for a in (first, second, third)] == [api.answer, api.answer, 429]
    left = [answer.headers["ratelimit"] for answer in (first, second, third)]
    assert left == ['"key";r=1;t=1', '"key";r=0;t=1', '"key";r=0;t=1']
    assert third.headers["ratelimit-policy"] == '"key";q=2;w=2'
    assert third.headers["retry-after"] == "1"
    assert (await api.ask(other)).status_code == api.answer
    api.clock.now_s += 1
    assert (await api.ask(key)).status_code == api.answer


async def test_the_last_use_of_a_key_is_stored(api: KeyedApi) -> None:
    """In the background, and at most once a minute."""
    key = await api.key()
    await api.ask(key)
    assert await api.stored(LAST_USED, key.prefix) is None
    await api.access.note()
    assert await api.stored(LAST_USED, key.prefix) is not None
    await api.stored(LONG_AGO, key.prefix)
    noted = await api.stored(LAST_USED, key.prefix)
    await api.ask(key)
    await api.access.note()
    assert await api.stored(LAST_USED, key.prefix) == noted


async def test_pending_uses_are_stored_on_stop(api: KeyedApi) -> None:
    """A stop stores the uses that are not stored yet."""
    key = await api.key()
    await api.access.start()
    await api.ask(key)
    await api.access.stop()
    assert await api.stored(LAST_USED, key.prefix) is not None


async def test_the_service_cannot_change_what_keys_permit(
    service: Keyed, database: MakeDatabase
) -> None:
    """With SQL injection an attacker could neither widen a key nor delete one from the list."""
    db = Database((await database(service.replace("-", "_"))).dsn, service=service)
    await db.start()
    for statement in (WIDEN, REVIVE, FORGET, TAKE):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(statement)
    await db.stop()


async def test_a_key_in_use_needs_no_database(api: KeyedApi) -> None:
    """While another transaction locks the keys, requests go on."""
    key = await api.key()
    await api.ask(key)
    async with connected(api.owner_dsn) as owner, asyncio.timeout(10):
        await owner.execute("LOCK TABLE access_key IN ACCESS EXCLUSIVE MODE")
        api.clock.now_s += 0.9
        assert (await api.ask(key)).status_code == api.answer


async def test_no_key_is_stored_or_logged(api: KeyedApi, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a valid nor an invalid one."""
    keys = (await api.key(), make_key())
    for key in keys:
        await api.ask(key)
    await api.access.note()
    seen = f"{await api.stored(KEPT)} {''.join(capfd.readouterr())}"
    assert not [key for key in keys if key.text.split("_")[2] in seen]
    assert keys[0].prefix in seen
