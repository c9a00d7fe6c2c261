"""The admin endpoints that all services have, on a real PostgreSQL: keys, dead letters, time."""

from datetime import datetime
from typing import Any, Final

import pytest
from httpx import AsyncClient, Response
from structlog.testing import capture_logs
from tests.integration.access.keyed_service import KeyedApi, bearer

from shared.platform.api_keys import SCOPES, Keyed, read_key
from shared.testing.keys import connected

OWNED: Final[dict[Keyed, list[str]]] = {
    "intake": ["app-form"],
    "router": ["ann"],
    "sla-monitor": ["eastwind", "northwind"],
    "notifier": [],
}
SETTINGS: Final = """
    SELECT array_agg((scopes, rate_per_s, burst, expires_at - created_at)) FROM access_key
    WHERE tenant = 'acme'
"""
EXPIRE: Final = "UPDATE access_key SET expires_at = now() WHERE tenant = 'acme'"
TEXTS: Final = "SELECT string_agg(access_key::text, ' ') FROM access_key"
PARK: Final = """
    INSERT INTO dead_letter (topic, partition, record_offset, reason, detail, key, value, headers)
    SELECT 'inbound.v1', 0, n, 'bad_json', 'no JSON', 'k', '{', '[]'
    FROM generate_series(1, $1::int) AS n
"""
OUTBOX: Final = "SELECT count(*) FROM outbox WHERE topic = 'inbound.v1'"


def wanted(service: Keyed, **changes: object) -> dict[str, Any]:
    """Write a request for a key."""
    return {
        "tenant": "acme",
        "name": "web-form",
        "scopes": [SCOPES[service][0]],
        "owned": OWNED[service],
        "days": 90,
        "rate_per_s": 7,
        "burst": 9,
        **changes,
    }


async def created(api: KeyedApi, **changes: object) -> dict[str, Any]:
    """Create a key."""
    answer = await api.http.post("/v1/admin/keys", json=wanted(api.service, **changes))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def rotated(api: KeyedApi) -> Response:
    """Replace the key."""
    name = {"tenant": "acme", "name": "web-form"}
    return await api.http.post("/v1/admin/keys/rotate", json=name)


async def states(http: AsyncClient) -> dict[str, str]:
    """Read the state of all keys of acme."""
    listed = (await http.get("/v1/admin/keys")).json()
    return {key["prefix"]: key["state"] for key in listed if key["tenant"] == "acme"}


async def test_the_scope_is_required_and_no_other_scope_includes_it(api: KeyedApi) -> None:
    """A key with all other scopes administers nothing; an admin key does nothing else."""
    others = [*(set(SCOPES[api.service]) - {"admin"}), "other:read"]
    key = await api.key(scopes=others, owned=["*"])
    document = (await api.http.get("/openapi.json")).json()
    admin = {
        path: verbs for path, verbs in document["paths"].items() if path.startswith("/v1/admin/")
    }
    for path, verbs in admin.items():
        place = path.replace("{prefix}", key.prefix).replace("{name}", "helpdesk")
        for verb in verbs:
            answer = await api.http.request(verb, place, headers=bearer(key), json={})
            assert (answer.status_code, "scope admin" in answer.text) == (403, True), place
    assert len(admin) >= 6
    if api.service != "notifier":
        await api.admin()
        assert (await api.http.get(api.path)).status_code == 403


async def test_a_created_key_is_valid_and_listed_without_its_secret(api: KeyedApi) -> None:
    """The response has the whole key; the list and the database have not."""
    await api.admin()
    made = await created(api)
    key = read_key(made.pop("key"))
    assert key is not None
    assert made["prefix"] == key.prefix
    assert (made["scopes"], made["owned"], made["state"]) == (
        [SCOPES[api.service][0]],
        OWNED[api.service],
        "in force",
    )
    assert made in (await api.http.get("/v1/admin/keys")).json()
    secret = key.text.split("_")[2]
    assert secret not in await api.stored(TEXTS)
    assert secret not in (await api.http.get("/v1/admin/keys")).text


async def test_a_repeated_request_makes_one_key(api: KeyedApi) -> None:
    """With the same Idempotency-Key and body the same key comes back; nothing else is stored."""
    http = await api.admin()
    name = {"tenant": "acme", "name": "web-form"}
    for path, body in (("/v1/admin/keys", wanted(api.service)), ("/v1/admin/keys/rotate", name)):
        first, again = [
            await http.post(path, json=body, headers={"Idempotency-Key": sent})
            for sent in (path, f'"{path}"')
        ]
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
    assert list((await states(http)).values()) == ["in force"] * 2


async def test_an_idempotency_key_is_for_one_body(api: KeyedApi) -> None:
    """Another body is refused, and another admin's equal Idempotency-Key is another one."""
    http = await api.admin()
    once = {"Idempotency-Key": "once"}
    first = await http.post("/v1/admin/keys", json=wanted(api.service), headers=once)
    other = await http.post("/v1/admin/keys", json=wanted(api.service, name="b"), headers=once)
    assert other.status_code == 422
    [fault] = other.json()["errors"]
    assert (fault["field"], "send a new one" in fault["fault"]) == ("Idempotency-Key", True)
    assert list(await states(http)) == [first.json()["prefix"]]
    empty = await http.post("/v1/admin/keys", headers=once | {"content-type": "application/json"})
    assert empty.status_code == 422
    else_key = bearer(await api.key("elsewhere", ["admin"]))
    theirs = await http.post(
        "/v1/admin/keys", json=wanted(api.service, name="b"), headers=once | else_key
    )
    assert theirs.status_code == 201


async def test_a_key_is_replaced_without_a_gap(api: KeyedApi) -> None:
    """The second is like the first, and both are valid until one is revoked."""
    http = await api.admin()
    first = await created(api)
    second = (await rotated(api)).json()
    assert second["owned"] == first["owned"]
    one, other = await api.stored(SETTINGS)
    assert one == other
    assert (await http.delete(f"/v1/admin/keys/{first['prefix']}")).status_code == 204
    third = (await rotated(api)).json()
    found = await states(http)
    assert [found[key["prefix"]] for key in (first, second, third)] == [
        "revoked",
        "in force",
        "in force",
    ]


async def test_a_name_has_two_keys_at_most(api: KeyedApi) -> None:
    """A conflict names what to do: rotate, or revoke the old key first."""
    http = await api.admin()
    first = await created(api)
    taken = await http.post("/v1/admin/keys", json=wanted(api.service))
    assert taken.status_code == 409
    assert f"premium keys rotate acme web-form --service {api.service}" in taken.json()["detail"]
    await rotated(api)
    third = await rotated(api)
    assert third.status_code == 409
    assert f"premium keys revoke {first['prefix']} --service" in third.json()["detail"]
    await api.stored(EXPIRE)
    await created(api)


async def test_a_key_that_is_not_in_force_is_neither_replaced_nor_revoked(api: KeyedApi) -> None:
    """The error names the command that helps."""
    http = await api.admin()
    none = await rotated(api)
    assert (none.status_code, "premium keys create" in none.text) == (409, True)
    place = f"/v1/admin/keys/{(await created(api))['prefix']}"
    assert [(await http.delete(place)).status_code for _ in range(2)] == [204, 404]
    assert "premium keys list" in (await http.delete(place)).json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": ["admin", "everything"]}, "scopes.1"),
        ({"scopes": []}, "scopes"),
        ({"tenant": ""}, "tenant"),
        ({"name": "a\nb"}, "name"),
        ({"days": 0}, "days"),
        ({"rate_per_s": 10**9}, "rate_per_s"),
        ({"secret": "mine"}, "secret"),
    ],
)
async def test_a_bad_field_is_named(api: KeyedApi, changes: dict[str, object], field: str) -> None:
    """Nothing is stored."""
    http = await api.admin()
    answer = await http.post("/v1/admin/keys", json=wanted(api.service, **changes))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [fault] = answer.json()["errors"]
    assert fault["field"] == field
    assert fault["fault"]
    assert await states(http) == {}


async def test_every_act_is_logged_without_its_secret(api: KeyedApi) -> None:
    """The log line has the act, the admin key, and what was changed."""
    http = await api.admin()
    with capture_logs() as logs:
        first = await created(api)
        second = (await rotated(api)).json()
        await http.delete(f"/v1/admin/keys/{first['prefix']}")
        await http.get("/v1/admin/keys")
    assert [(line["event"], line["by"], line["prefix"]) for line in logs] == [
        ("key_created", "operator/ada", first["prefix"]),
        ("key_rotated", "operator/ada", second["prefix"]),
        ("key_revoked", "operator/ada", first["prefix"]),
    ]
    assert not [one for one in (first, second) if one["key"].split("_")[2] in str(logs)]


async def test_dead_letters_are_counted_and_redriven_once(api: KeyedApi) -> None:
    """Those parked later than the count stay."""
    http = await api.admin()
    await api.stored(PARK, 103)
    found = (await http.get("/v1/admin/dead-letters")).json()
    assert found["counts"] == [{"topic": "inbound.v1", "reason": "bad_json", "records": 103}]
    await api.stored(PARK, 1)
    body = {"last_id": found["last_id"]}
    sent = [await http.post("/v1/admin/dead-letters/redrive", json=body) for _ in range(3)]
    assert [sum(one["records"] for one in answer.json()) for answer in sent] == [100, 3, 0]
    left = (await http.get("/v1/admin/dead-letters")).json()
    assert [one["records"] for one in left["counts"]] == [1]
    assert await api.stored(OUTBOX) == 103


async def test_the_time_is_that_by_which_promises_are_judged(api: KeyedApi) -> None:
    """It is the database's business time, not the computer's."""
    http = await api.admin()
    async with connected(api.owner_dsn) as owner:
        await owner.execute(
            "CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE"
            " AS $$SELECT '2026-03-02T12:00:00Z'::timestamptz$$"
        )
    answer = (await http.get("/v1/admin/time")).json()
    assert datetime.fromisoformat(answer["now"]).isoformat() == "2026-03-02T12:00:00+00:00"
