"""The operator's API keys, on the real databases of the services."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, cast

import asyncpg
import pytest

from devstack.keys import ensure_local_key
from premium.errors import CommandError
from premium.keys.store import Grant, connected, create, listed, revoke, rotate
from shared.platform.api_keys import SCOPES, read_key
from shared.testing.databases import MakeDatabase

INTAKES: Final = Grant(
    "northwind", "form", ["tickets:write"], ["app-form"], days=90, rate_per_s=7, burst=9
)
ROUTERS: Final = replace(INTAKES, scopes=["desk:act"], owned=["ann"], service="router")
MONITORS: Final = replace(
    INTAKES, scopes=["clocks:read"], owned=["eastwind", "northwind"], service="sla-monitor"
)
SETTINGS = "SELECT array_agg((scopes, rate_per_s, burst, expires_at - created_at)) FROM access_key"
EXPIRE = "UPDATE access_key SET expires_at = now()"
TEXTS = "SELECT string_agg(access_key::text, ' ') FROM access_key"


@pytest.fixture(params=[INTAKES, ROUTERS, MONITORS], ids=lambda grant: grant.service)
async def grant(request: pytest.FixtureRequest) -> Grant:
    """Return a grant for each service's API in turn."""
    return cast("Grant", request.param)


@pytest.fixture
async def owner(grant: Grant, database: MakeDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner of the service's database."""
    async with connected((await database(grant.service.replace("-", "_"))).owner_dsn) as connection:
        yield connection


async def test_a_key_is_replaced_without_a_gap(owner: asyncpg.Connection, grant: Grant) -> None:
    """The second is like the first, and both are valid until one is revoked."""
    first = await create(owner, grant)
    second = await rotate(owner, grant.tenant, grant.name, grant.service)
    assert [key.state for key in await listed(owner, grant.service)] == ["in force"] * 2
    one, other = await owner.fetchval(SETTINGS)
    assert one == other
    await revoke(owner, first.prefix)
    third = await rotate(owner, grant.tenant, grant.name, grant.service)
    states = {key.prefix: key.state for key in await listed(owner, grant.service)}
    assert [states[key.prefix] for key in (first, second, third)] == [
        "revoked",
        "in force",
        "in force",
    ]


async def test_a_third_key_of_a_name_is_refused(owner: asyncpg.Connection, grant: Grant) -> None:
    """A rotation must end with the revocation of the old key before the next begins."""
    first = await create(owner, grant)
    await rotate(owner, grant.tenant, grant.name, grant.service)
    remedy = f"revoke the old one first.*keys revoke {first.prefix} --service {grant.service}"
    with pytest.raises(CommandError, match=remedy):
        await rotate(owner, grant.tenant, grant.name, grant.service)


async def test_a_name_is_used_once(owner: asyncpg.Connection, grant: Grant) -> None:
    """It is free again when its keys have expired or are revoked."""
    await create(owner, grant)
    with pytest.raises(CommandError, match="premium keys rotate northwind form"):
        await create(owner, grant)
    await owner.execute(EXPIRE)
    await create(owner, grant)


@pytest.mark.parametrize("grant", [INTAKES], indirect=True)
async def test_a_source_belongs_to_one_tenant(owner: asyncpg.Connection, grant: Grant) -> None:
    """The error names the owner of the source."""
    await create(owner, grant)
    with pytest.raises(CommandError, match="app-form is northwind's"):
        await create(owner, replace(grant, tenant="southwind"))


@pytest.mark.parametrize("grant", [ROUTERS], indirect=True)
async def test_several_tenants_may_act_for_a_specialist(
    owner: asyncpg.Connection, grant: Grant
) -> None:
    """For example a help desk, and a tool of the specialist."""
    await create(owner, grant)
    await create(owner, replace(grant, tenant="southwind", owned=["*", "ann"]))
    keys = await listed(owner, "router")
    assert {key.tenant: key.owned for key in keys} == {
        "northwind": ["ann"],
        "southwind": ["*", "ann"],
    }


@pytest.mark.parametrize("grant", [MONITORS], indirect=True)
async def test_a_key_may_be_limited_to_accounts(owner: asyncpg.Connection, grant: Grant) -> None:
    """So is the key that replaces it; a key without a limit is listed with all accounts."""
    await create(owner, grant)
    await rotate(owner, grant.tenant, grant.name, grant.service)
    await create(owner, replace(grant, name="all", owned=()))
    owned = [(key.name, key.owned) for key in await listed(owner, "sla-monitor")]
    assert owned == [("all", ["*"]), *[("form", ["eastwind", "northwind"])] * 2]


async def test_a_key_that_is_not_in_force_is_neither_replaced_nor_revoked(
    owner: asyncpg.Connection, grant: Grant
) -> None:
    """The error names the command that helps."""
    with pytest.raises(CommandError, match="premium keys create"):
        await rotate(owner, grant.tenant, grant.name, grant.service)
    key = await create(owner, grant)
    await revoke(owner, key.prefix)
    with pytest.raises(CommandError, match="premium keys list"):
        await revoke(owner, key.prefix)


async def test_the_secret_is_not_stored(owner: asyncpg.Connection, grant: Grant) -> None:
    """A copy of the database gives no access."""
    key = await create(owner, grant)
    assert key.text.split("_")[2] not in await owner.fetchval(TEXTS)


async def test_the_stack_keeps_its_key_and_revokes_earlier_ones(
    owner: asyncpg.Connection, grant: Grant
) -> None:
    """The key stays the same until it is revoked; then there is a new one."""
    first = await ensure_local_key(owner, grant.service, None)
    assert await ensure_local_key(owner, grant.service, first) == first
    [key] = await listed(owner, grant.service)
    assert (key.tenant, key.state, key.owned) == ("local", "in force", ["*"])
    assert tuple(key.scopes) == SCOPES[grant.service]
    await revoke(owner, key.prefix)
    second = await ensure_local_key(owner, grant.service, first)
    assert read_key(second)
    assert second != first
    third = await ensure_local_key(owner, grant.service, None)
    in_force = [key.prefix for key in await listed(owner, grant.service) if key.state == "in force"]
    assert in_force == [third.split("_")[1]]
