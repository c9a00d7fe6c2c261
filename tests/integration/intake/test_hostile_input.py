"""Hostile input to intake's API is refused with a 4xx, and causes no server error."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from tests.integration.hostile import Spoiled, faults, spoiled_bodies, spoiled_targets
from tests.integration.intake.conftest import Intake, save_connections
from tests.integration.intake.intake_process import serving

from intake.webhooks import hubspot, standard
from shared.platform.postgres import now
from shared.testing.databases import FreshDatabase
from shared.testing.keys import connected
from shared.webhooks import load_connections

EXAMPLES: Final = Path(__file__).parents[3] / "docs" / "examples"
KEY: Final = bytes(range(32))
HUB_KEY: Final = b"hub secret"
HUBSPOT: Final = "/v1/webhooks/hubspot/hubspot-tickets"
SIGNED: Final = "/v1/webhooks/signed/helpdesk"
STRUCTURED: Final = "application/cloudevents+json"
BAD: Final[tuple[object, ...]] = ("\x00", "a\x00b", "x" * 5_000, 10**20, 1e308, True, None, [], {})


@pytest.fixture
async def client(
    intake: Intake, fresh: FreshDatabase, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve intake with webhook connections of a help desk and of HubSpot."""
    async with connected(fresh.owner_dsn) as owner:
        for name in ("helpdesk", "hubspot"):
            await save_connections(owner, load_connections(EXAMPLES / f"webhooks-{name}.yaml"))
    (tmp_path / "helpdesk-2026").write_text(f"whsec_{b64encode(KEY).decode()}")
    (tmp_path / "hubspot-client-secret").write_bytes(HUB_KEY)
    async with serving(intake, fresh, secrets=tmp_path) as client:
        yield client


async def test_a_damaged_request_causes_no_server_error(client: httpx.AsyncClient) -> None:
    """Damaged paths, queries, headers and bodies are answered with a 4xx."""
    document = (await client.get("/openapi.json")).json()
    bodies = list(spoiled_bodies(document))
    batches = [
        Spoiled("post", "/v1/tickets:batch", b'{"tickets": [%s]}' % body, what)
        for _, target, body, what in bodies
        if target == "/v1/tickets" and body is not None
    ]
    assert len(batches) > 100
    assert await faults(client, [*spoiled_targets(document), *bodies, *batches]) == []


async def test_a_damaged_cloudevent_causes_no_server_error(
    client: httpx.AsyncClient,
) -> None:
    """Each attribute, and the data, with each kind of bad value."""
    client.headers["content-type"] = STRUCTURED
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": {}}
    spoiled = [
        Spoiled("post", "/v1/cloudevents", json.dumps(one).encode(), name)
        for name in (*event, "time", "traceparent", "data_base64", "\x00", "\ud800")
        for one in ({**event, name: bad} for bad in (*BAD, "\ud800"))
    ]
    assert await faults(client, spoiled) == []


def spoiled_events() -> Iterator[dict[str, object]]:
    """Make events of the help desk with one damaged field, read by a rule or not."""
    ticket: dict[str, object] = {
        "id": 12,
        "title": "Log in",
        "organization": {"id": "n"},
        "requester": {"id": "b"},
    }
    event: dict[str, object] = {
        "event": "ticket.created",
        "at": "2026-03-02T12:00:00Z",
        "ticket": ticket,
    }
    for bad in BAD:
        yield from ({**event, name: bad} for name in (*event, "unread", "author"))
        yield from ({**event, "ticket": {**ticket, name: bad}} for name in (*ticket, "text", "via"))
        yield {"event": "person.deleted", "person": {"id": bad}}


async def test_a_damaged_signed_webhook_causes_no_server_error(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    """A correct signature does not make its content valid."""
    async with intake.db.transaction() as tx:
        at = str(int((await now(tx)).timestamp()))
    for event in spoiled_events():
        body = json.dumps(event).encode()
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": at,
            "webhook-signature": standard.sign(KEY, "msg_1", at, body),
        }
        answer = await client.post(SIGNED, content=body, headers=headers)
        assert answer.status_code in {200, 422}, (event, answer.text)


@pytest.mark.parametrize("name", ["objectId", "eventId", "portalId", "subscriptionType", "unread"])
async def test_a_damaged_hubspot_event_causes_no_server_error(
    client: httpx.AsyncClient, intake: Intake, name: str
) -> None:
    """Each event is answered on its own; an id that cannot be a person's is refused."""
    async with intake.db.transaction() as tx:
        at = str(int((await now(tx)).timestamp() * 1000))
    event = {"objectId": 1, "eventId": 2, "portalId": 3, "occurredAt": int(at)}
    kinds = ("contact.privacyDeletion", "ticket.creation")
    events = [{**event, "subscriptionType": k, name: bad} for k in kinds for bad in BAD]
    body = json.dumps(events).encode()
    url = f"https://support.example.com{HUBSPOT}"
    headers = {
        "x-hubspot-signature-v3": hubspot.sign(HUB_KEY, url, body, at),
        "x-hubspot-request-timestamp": at,
    }
    answer = await client.post(HUBSPOT, content=body, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("at", ["9" * 12, "9" * 15, "0", "-1", "x"])
async def test_a_timestamp_out_of_range_is_refused(client: httpx.AsyncClient, at: str) -> None:
    """Also one that is too large for a date."""
    answer = await client.post(HUBSPOT, content=b"[]", headers={"x-hubspot-request-timestamp": at})
    assert answer.status_code == 401, answer.text
    named = {"webhook-id": "msg_1", "webhook-timestamp": at}
    assert (await client.post(SIGNED, content=b"{}", headers=named)).status_code == 401
