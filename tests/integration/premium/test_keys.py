"""Keys as the operator makes them, on intake's real database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from premium.stack.errors import StackError
from premium.stack.keys import Grant, connected, create, keep_local, kept, revoke, rotate
from shared.keys import SCOPES, read_key
from shared.testing.databases import MakeDatabase

GRANT = Grant("northwind", "form", ["tickets:write"], ["app-form"], days=90, rate_per_s=7, burst=9)
TOLD = "SELECT array_agg((scopes, rate_per_s, burst, expires_at - created_at)) FROM access_key"
EXPIRE = "UPDATE access_key SET expires_at = now()"
TEXTS = "SELECT string_agg(access_key::text, ' ') FROM access_key"


@pytest.fixture
async def owner(database: MakeDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner of intake's database."""
    async with connected((await database("intake")).owner_dsn) as connection:
        yield connection


async def test_a_key_is_replaced_without_a_gap(owner: asyncpg.Connection) -> None:
    """The second is like the first, and both count until one is revoked."""
    first = await create(owner, GRANT)
    second = await rotate(owner, "northwind", "form")
    assert [key.state for key in await kept(owner)] == ["in force"] * 2
    one, other = await owner.fetchval(TOLD)
    assert one == other
    await revoke(owner, first.prefix)
    third = await rotate(owner, "northwind", "form")
    states = {key.prefix: key.state for key in await kept(owner)}
    assert [states[key.prefix] for key in (first, second, third)] == [
        "revoked",
        "in force",
        "in force",
    ]


async def test_a_third_key_of_a_name_is_refused(owner: asyncpg.Connection) -> None:
    """A rotation that is never ended would leave old keys about."""
    await create(owner, GRANT)
    await rotate(owner, "northwind", "form")
    with pytest.raises(StackError, match="revoke the old one first"):
        await rotate(owner, "northwind", "form")


async def test_a_name_is_given_once(owner: asyncpg.Connection) -> None:
    """Until its keys have expired or are revoked."""
    await create(owner, GRANT)
    with pytest.raises(StackError, match="premium keys rotate northwind form"):
        await create(owner, GRANT)
    await owner.execute(EXPIRE)
    await create(owner, GRANT)


async def test_a_source_belongs_to_one_tenant(owner: asyncpg.Connection) -> None:
    """Who asks for another's is told whose it is."""
    await create(owner, GRANT)
    with pytest.raises(StackError, match="app-form is northwind's"):
        await create(owner, Grant("southwind", "form", SCOPES, ["app-form"]))


async def test_what_is_not_in_force_is_neither_replaced_nor_ended(
    owner: asyncpg.Connection,
) -> None:
    """The operator hears where to look."""
    with pytest.raises(StackError, match="premium keys create"):
        await rotate(owner, "northwind", "form")
    key = await create(owner, GRANT)
    await revoke(owner, key.prefix)
    with pytest.raises(StackError, match="premium keys list"):
        await revoke(owner, key.prefix)


async def test_the_secret_is_not_kept(owner: asyncpg.Connection) -> None:
    """A copy of the database lets nobody in."""
    key = await create(owner, GRANT)
    assert key.text.split("_")[2] not in await owner.fetchval(TEXTS)


async def test_the_stack_keeps_its_key_and_ends_those_before(owner: asyncpg.Connection) -> None:
    """Again and again the same, until it is revoked; then another."""
    first = await keep_local(owner, None)
    assert await keep_local(owner, first) == first
    [listed] = await kept(owner)
    assert (listed.tenant, listed.state, listed.sources) == ("local", "in force", ["*"])
    assert tuple(listed.scopes) == SCOPES
    await revoke(owner, listed.prefix)
    second = await keep_local(owner, first)
    assert read_key(second)
    assert second != first
    third = await keep_local(owner, None)
    in_force = [key.prefix for key in await kept(owner) if key.state == "in force"]
    assert in_force == [third.split("_")[1]]
