"""Intake's admin endpoints: webhook connections; sources belong to one tenant."""

from pathlib import Path
from typing import Any, Final

import pytest
from httpx import AsyncClient
from structlog.testing import capture_logs
from tests.integration.intake.conftest import Intake

from shared.testing.databases import FreshDatabase
from shared.testing.keys import new_key
from shared.webhooks import load_connections

HELPDESK: Final = Path(__file__).parents[3] / "docs" / "examples" / "webhooks-helpdesk.yaml"
PLACE: Final = "/v1/admin/webhooks/helpdesk"


@pytest.fixture
async def admin(empty_intake: Intake, fresh: FreshDatabase) -> AsyncClient:
    """Return a client with an admin key."""
    key = await new_key(fresh.owner_dsn, "intake", name="admin", scopes=["admin"], owned=())
    empty_intake.client.headers["authorization"] = f"Bearer {key.text}"
    return empty_intake.client


def helpdesk(**changes: object) -> dict[str, Any]:
    """Return the example's document, with changes."""
    [connection] = load_connections(HELPDESK)
    return {**connection.document, **changes}


async def test_a_connection_is_saved_listed_and_removed(admin: AsyncClient) -> None:
    """A repeated request has the same result; a removed connection is not found."""
    with capture_logs() as logs:
        for secrets in (["helpdesk-2026"], ["helpdesk-2026"], ["helpdesk-2027"]):
            saved = await admin.put(PLACE, json=helpdesk(secrets=secrets))
            assert (saved.status_code, saved.content) == (204, b"")
        assert (await admin.get("/v1/admin/webhooks")).json() == [
            helpdesk(secrets=["helpdesk-2027"])
        ]
        assert [(await admin.delete(PLACE)).status_code for _ in range(2)] == [204, 404]
    assert (await admin.get("/v1/admin/webhooks")).json() == []
    assert [line["event"] for line in logs] == [
        *["webhook_connection_saved"] * 3,
        "webhook_connection_removed",
    ]
    assert {line["by"] for line in logs} == {"northwind/admin"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "carrier"}, "kind"),
        ({"name": "other"}, "name"),
        ({"secrets": []}, "secrets"),
        ({"mapping": {**helpdesk()["mapping"], "rules": []}}, "mapping.rules"),
        (
            {"mapping": {**helpdesk()["mapping"], "rules": [{"when": {"$.a": "b"}}]}},
            "mapping.rules.0",
        ),
        ({"password": "mine"}, "password"),
    ],
)
async def test_a_bad_field_of_a_connection_is_named(
    admin: AsyncClient, changes: dict[str, object], field: str
) -> None:
    """Each fault has its place and its remedy; nothing is saved."""
    answer = await admin.put(PLACE, json=helpdesk(**changes))
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert (await admin.get("/v1/admin/webhooks")).json() == []


async def test_a_constant_that_no_document_may_hold_is_refused(admin: AsyncClient) -> None:
    """The constants of a mapping are checked like the documents that they become part of."""
    mapping = {
        "source": "helpdesk",
        "ticket": "{$.id}",
        "occurred_at": "{$.at}",
        "rules": [{"when": {"$.a": "b"}, "fact": {"type": "waiting", "waiting_for": "luck"}}],
    }
    answer = await admin.put(PLACE, json=helpdesk(mapping=mapping))
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["field"] == "mapping.rules.0.fact.waiting_for.from"


async def test_a_source_belongs_to_one_tenant(admin: AsyncClient) -> None:
    """The error names the source in the request, and its owner; no key is made."""
    new = {"tenant": "acme", "name": "form", "scopes": ["tickets:write"], "owned": ["own-form"]}
    assert (await admin.post("/v1/admin/keys", json=new)).status_code == 201
    other = {**new, "tenant": "southwind", "owned": ["theirs", "own-form"]}
    answer = await admin.post("/v1/admin/keys", json=other)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["field"], "own-form is acme's" in fault["fault"]) == ("owned.1", True)
    tenants = {key["tenant"] for key in (await admin.get("/v1/admin/keys")).json()}
    assert tenants == {"northwind", "acme"}
