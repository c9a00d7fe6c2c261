"""`premium keys` works over HTTP; only the first admin key of a service is made in its database."""

from typing import Final

import pytest
from tests.integration.premium.conftest import Deployment, run

from devstack.keys import ensure_key
from shared.platform.access import store
from shared.platform.api_keys import SCOPES, Keyed, read_key
from shared.testing.databases import MakeDatabase
from shared.testing.keys import connected

OPTIONS: Final[dict[Keyed, tuple[str, ...]]] = {
    "intake": ("--source", "app-form"),
    "router": ("--specialist", "ann", "--specialist", "*"),
    "sla-monitor": ("--account", "acme"),
    "notifier": (),
}
SHOWN: Final[dict[Keyed, str]] = {
    "intake": "sources: app-form",
    "router": "specialists: all, ann",
    "sla-monitor": "accounts: acme",
    "notifier": "scopes: admin",
}


@pytest.mark.parametrize("service", SCOPES)
async def test_keys_are_made_replaced_revoked_and_listed(
    deployment: Deployment, service: Keyed
) -> None:
    """A new key is printed alone on standard output."""
    where = ("--service", service)
    scope = ("--scope", SCOPES[service][0])
    created = ("keys", "create", "acme", "form", *scope, *OPTIONS[service], *where)
    first = read_key((await deployment.premium(*created)).strip())
    second = read_key((await deployment.premium("keys", "rotate", "acme", "form", *where)).strip())
    assert first
    assert second
    assert "revoked" in await deployment.premium("keys", "revoke", first.prefix, *where)
    listed = await deployment.premium("keys", "list", *where)
    assert f"{first.prefix}  acme form: revoked" in listed
    assert f"{second.prefix}  acme form: in force" in listed
    assert SHOWN[service] in listed


async def test_a_refusal_says_what_to_do(deployment: Deployment) -> None:
    """The service's own words are shown; an option of another service names that service."""
    create = ("keys", "create", "acme", "form")
    error = await deployment.refused(*create, "--scope", "desk:read")
    assert error.startswith("intake: scopes.0: intake has no scope desk:read; choose among")
    error = await deployment.refused(*create, "--scope", "tickets:read", "--account", "acme")
    assert error == "intake has no accounts: did you mean --service sla-monitor?"
    assert "premium keys list" in await deployment.refused("keys", "revoke", "00000000")


async def test_a_key_without_the_scope_is_refused(deployment: Deployment) -> None:
    """The error names the scope."""
    made = await deployment.premium("keys", "create", "acme", "form", "--scope", "tickets:read")
    (deployment.profile.parent / "intake-admin-key").write_text(made.strip())
    assert "lacks the scope admin" in await deployment.refused("keys", "list")


@pytest.mark.parametrize("service", SCOPES)
async def test_the_first_admin_key_is_made_once(deployment: Deployment, service: Keyed) -> None:
    """It needs the DSN; it is refused while an admin key is in force, and makes all others."""
    owner_dsn = deployment.databases[service].owner_dsn
    first = ("keys", "first", "operator", "ada", "--service", service)
    assert f"services.{service}.dsn" in await deployment.refused(*first)
    profile = deployment.profile
    place = f"[services.{service}]\n"
    profile.write_text(profile.read_text().replace(place, f'{place}dsn = "{owner_dsn}"\n'))
    assert "an admin key is in force" in await deployment.refused(*first)
    async with connected(owner_dsn) as owner:
        for key in await store.listed(owner):
            await store.revoke(owner, key.prefix)
    made = await deployment.premium(*first)
    (profile.parent / f"{service}-admin-key").write_text(made.strip())
    listed = await deployment.premium("keys", "list", "--service", service)
    assert "operator ada: in force" in listed
    assert "an admin key is in force" in await deployment.refused(*first)


async def test_a_database_without_tables_is_reported(
    deployment: Deployment, database: MakeDatabase
) -> None:
    """The error names the command that makes them."""
    fresh = await database("intake")
    async with connected(fresh.owner_dsn) as owner:
        await owner.execute("DROP TABLE access_key")
    profile = deployment.profile.with_name("new.toml")
    profile.write_text(f'[services.intake]\ndsn = "{fresh.owner_dsn}"\n')
    ended = await run(profile, "keys", "first", "operator", "ada")
    assert "premium migrate intake" in str(ended.exception)


@pytest.mark.parametrize("service", SCOPES)
async def test_the_stack_keeps_its_keys_and_revokes_earlier_ones(
    database: MakeDatabase, service: Keyed
) -> None:
    """A key stays the same until it is revoked; then there is a new one."""
    async with connected((await database(service.replace("-", "_"))).owner_dsn) as owner:
        first = await ensure_key(owner, service, None, admin=True)
        assert await ensure_key(owner, service, first, admin=True) == first
        [key] = await store.listed(owner)
        assert (key.tenant, key.state, key.scopes) == ("local", "in force", ["admin"])
        await store.revoke(owner, key.prefix)
        second = await ensure_key(owner, service, first, admin=True)
        third = await ensure_key(owner, service, None, admin=True)
        in_force = [k.prefix for k in await store.listed(owner) if k.state == "in force"]
    assert len({first, second, third}) == 3
    assert in_force == [third.split("_")[1]]
