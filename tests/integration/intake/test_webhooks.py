"""Webhooks over HTTP, with connections and time from a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.integration.intake.conftest import KEYS, Intake, listed, save_connections

from intake import handlers
from intake.api.app import Dependencies, make_app
from intake.store import queries
from intake.webhooks import Secrets, hubspot, standard
from shared.events.codec import Record, Skipped
from shared.platform import dead_letters, idempotency
from shared.platform.access import Authenticator
from shared.platform.postgres import Database
from shared.testing.builders import NOON, an_account
from shared.webhooks import WebhookConnection, connections_of, load_connections

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
HUBSPOT_PATH = "/v1/webhooks/hubspot/hubspot-tickets"
SIGNED_PATH = "/v1/webhooks/signed/helpdesk"
MS = str(int(NOON.timestamp() * 1000))
S = str(int(NOON.timestamp()))
KEY = bytes(range(32))
WHSEC = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
REPLY = {
    "event": "ticket.commented",
    "author": {"kind": "customer"},
    "at": "2026-03-02T12:00:00Z",
    "ticket": {"id": 12},
}
LOCK_ACCOUNT = "SELECT pg_advisory_xact_lock(hashtext('account'), hashtext($1))"
OLDER = "UPDATE idempotency_key SET kept_at = kept_at - interval '7 days 1 second'"
REQUESTERS = "SELECT array_agg(requester_id) FROM ticket"
LATER, LATEST = {**REPLY, "at": "2026-03-02T12:05:00Z"}, "2026-03-02T12:10:00Z"


@dataclass
class WebhooksApi:
    """The webhook endpoints of intake, with the connections of both examples."""

    client: AsyncClient
    intake: Intake
    secrets: Path

    @property
    def db(self) -> Database:
        """Intake's database."""
        return self.intake.db

    async def announced(self) -> list[str]:
        """Read the tickets of the announced facts."""
        return [fact["ticket_id"] for fact in await self.intake.announced("tickets.v1")]

    async def hubspot(self, events: Any, **changes: Any) -> Response:  # noqa: ANN401 - JSON
        """Post events as HubSpot does."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        url = "https://support.example.com" + HUBSPOT_PATH
        secret = changes.get("secret", b"hub secret")
        headers = {
            "x-hubspot-signature-v3": hubspot.sign(secret, url, body, MS),
            "x-hubspot-request-timestamp": MS,
            "host": "evil.example.com",
        }
        return await self.client.post(HUBSPOT_PATH, content=body, headers=headers)

    async def signed(self, event: Any, name: str = "msg_1", key: bytes = KEY) -> Response:  # noqa: ANN401
        """Post a signed event as any other system does."""
        body = json.dumps(event).encode()
        headers = {
            "webhook-id": name,
            "webhook-timestamp": S,
            "webhook-signature": standard.sign(key, name, S, body),
        }
        return await self.client.post(SIGNED_PATH, content=body, headers=headers)


@pytest.fixture
async def api(intake: Intake, tmp_path: Path) -> AsyncIterator[WebhooksApi]:
    """Run intake's endpoints; business time is noon."""
    async with intake.db.transaction() as tx:
        await save_connections(tx, examples())
    await intake.consume(listed(an_account(account_id="33", seats="everyone")))
    (tmp_path / "hubspot-client-secret").write_text("hub secret\n")
    (tmp_path / "helpdesk-2026").write_text(WHSEC)
    access = Authenticator(intake.db)
    parts = Dependencies(intake.db, access, Secrets(tmp_path), intake.submissions)
    transport = ASGITransport(make_app(parts, []))
    async with AsyncClient(transport=transport, base_url="http://intake") as client:
        yield WebhooksApi(client, intake, tmp_path)


def examples() -> tuple[WebhookConnection, ...]:
    """Load the connections of both examples."""
    files = ("webhooks-hubspot.yaml", "webhooks-helpdesk.yaml")
    return tuple(one for file in files for one in load_connections(EXAMPLES / file))


def created(ticket: object, **changes: object) -> dict[str, Any]:
    """Make HubSpot's event of a new ticket."""
    return {
        "eventId": 1,
        "subscriptionId": 25,
        "portalId": 33,
        "objectId": ticket,
        "occurredAt": int(MS),
        "subscriptionType": "ticket.creation",
        "attemptNumber": 0,
        **changes,
    }


def closed(ticket: int) -> dict[str, Any]:
    """Make HubSpot's event of a closed ticket."""
    return created(
        ticket,
        subscriptionType="ticket.propertyChange",
        propertyName="hs_pipeline_stage",
        propertyValue="4",
    )


def outcomes(answer: Response) -> list[str]:
    """Read the outcome of each event."""
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()["answers"]]


async def test_copies_of_an_event_get_the_same_answer(api: WebhooksApi) -> None:
    """In one array, and in a later attempt; they take effect once."""
    assert outcomes(await api.hubspot([created(1), closed(1), closed(1)])) == ["accepted"] * 3
    again = [one | {"attemptNumber": 1} for one in (created(1), closed(1))]
    assert outcomes(await api.hubspot(again)) == ["accepted"] * 2
    assert len(await api.announced()) == 2


async def test_a_later_fact_may_arrive_first(api: WebhooksApi) -> None:
    """HubSpot guarantees no order: in any order both are about the same ticket."""
    await api.hubspot([closed(1)])
    await api.hubspot([created(1)])
    assert len(set(await api.announced())) == 1


async def test_events_without_a_rule_are_ignored(api: WebhooksApi) -> None:
    """They get a 2xx, because HubSpot would repeat them for a day; so does an empty array."""
    assert outcomes(await api.hubspot([created(1, subscriptionType="deal.creation")])) == [
        "ignored"
    ]
    assert outcomes(await api.hubspot([])) == []
    assert await api.announced() == []


async def test_a_person_is_erased_once(api: WebhooksApi) -> None:
    """Whatever the mapping, and after the other events of the array."""
    removed = created(77, subscriptionType="contact.privacyDeletion")
    theirs = created(1, sourceId="77")
    assert outcomes(await api.hubspot([removed, theirs, removed])) == [
        "erased",
        "accepted",
        "erased",
    ]
    async with api.db.session() as session:
        assert await session.fetchval(REQUESTERS) == [""]


async def test_a_webhook_without_a_valid_signature_is_refused(api: WebhooksApi) -> None:
    """401 for another secret, or none; 404 when there is no such connection of that kind."""
    assert (await api.hubspot([created(1)], secret=b"guess")).status_code == 401
    assert (await api.client.post(HUBSPOT_PATH, json=[created(1)])).status_code == 401
    assert (await api.signed(REPLY, key=bytes(32))).status_code == 401
    for path in ("hubspot/other", "signed/hubspot-tickets", "hubspot/helpdesk"):
        answer = await api.client.post(f"/v1/webhooks/{path}", json=[])
        assert answer.status_code == 404
    assert await api.announced() == []


async def test_a_large_or_malformed_body_is_refused(api: WebhooksApi) -> None:
    """413 when it is too large; 400 when it is not an array of up to 100 events."""
    assert (await api.hubspot(b" " * (256 * 1024 + 1))).status_code == 413
    for body in (b"{", b"{}", b"", b"[NaN]", b"[" * 50 + b"]" * 50, [created(1)] * 101):
        assert (await api.hubspot(body)).status_code == 400


async def test_a_secret_is_replaced_without_a_gap(api: WebhooksApi) -> None:
    """With two secrets, either is accepted; while a secret's file is missing, the answer is 503."""
    (helpdesk,) = (one for one in examples() if one.kind == "signed")
    both = helpdesk.model_copy(update={"secrets": ("helpdesk-2026", "helpdesk-2027")})
    async with api.db.transaction() as tx:
        await save_connections(tx, (both,))
    new = bytes(range(1, 33))
    assert outcomes(await api.signed(REPLY)) == ["accepted"]
    assert (await api.signed(LATER, "msg_2", new)).status_code == 503
    (api.secrets / "helpdesk-2028").write_text("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")
    renamed = helpdesk.model_copy(update={"secrets": ("helpdesk-2026", "helpdesk-2028")})
    async with api.db.transaction() as tx:
        await save_connections(tx, (renamed,))
    assert outcomes(await api.signed(LATER, "msg_2", new)) == ["accepted"]
    assert outcomes(await api.signed({**LATER, "at": LATEST}, "msg_3")) == ["accepted"]


async def test_the_webhook_id_is_the_idempotency_key(api: WebhooksApi) -> None:
    """A repeated webhook gets the same answer; an equal fact under another id is a duplicate."""
    sent = ((REPLY, "a"), (REPLY, "a"), (REPLY, "b"), (LATER, "c"))
    found = [outcomes(await api.signed(event, name)) for event, name in sent]
    assert found == [["accepted"], ["accepted"], ["duplicate"], ["accepted"]]
    assert len(await api.announced()) == 2


async def test_simultaneous_copies_of_a_webhook_get_the_same_answer(api: WebhooksApi) -> None:
    """They take effect once."""
    answers = await asyncio.gather(*(api.signed(REPLY, "a") for _ in range(10)))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert outcomes(answers[0]) == ["accepted"]
    assert len(await api.announced()) == 1


async def test_a_webhook_id_with_another_body_is_refused(api: WebhooksApi) -> None:
    """422. HubSpot's ids may repeat: there another content is another event."""
    await api.signed(REPLY, "a")
    answer = await api.signed(LATER, "a")
    assert answer.status_code == 422
    assert "another body" in answer.json()["detail"]
    changed = created(1, sourceId="other")
    assert outcomes(await api.hubspot([created(1), changed])) == ["accepted", "duplicate"]


async def test_after_seven_days_a_webhook_id_is_new(api: WebhooksApi) -> None:
    """The fact itself is still known by its content."""
    await api.signed(REPLY, "a")
    async with api.db.transaction() as tx:
        await tx.execute(OLDER)
        assert await idempotency.prune(tx, limit=10) == 1
    assert outcomes(await api.signed(REPLY, "a")) == ["duplicate"]


async def test_a_single_invalid_event_is_refused(api: WebhooksApi) -> None:
    """422 with every fault, so that the sender repeats it after the mapping is corrected."""
    answer = await api.signed({**REPLY, "at": "soon", "ticket": {}})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "external_id: $.ticket.id is missing; occurred_at: is no time of the form iso"
    )


async def test_while_postgresql_is_unavailable_nothing_is_lost(api: WebhooksApi) -> None:
    """503, so that the sender repeats the webhook."""
    await api.db.stop()
    answer = await api.hubspot([created(1)])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    await api.db.start()
    assert outcomes(await api.hubspot([created(1)])) == ["accepted"]


async def test_a_webhook_is_answered_within_five_seconds(api: WebhooksApi) -> None:
    """503 while another transaction changes the account; the repeated webhook is accepted."""
    async with api.db.transaction() as tx:
        await tx.execute(LOCK_ACCOUNT, "33")
        async with asyncio.timeout(5):
            answer = await api.hubspot([created(1)])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert outcomes(await api.hubspot([created(1)])) == ["accepted"]


async def test_an_invalid_event_is_parked_and_redriven(api: WebhooksApi) -> None:
    """HubSpot does not repeat it after a 200; a redrive reads it with the corrected mapping."""
    unread = created(9, objectId=[], eventId=7)
    for _ in range(2):
        assert outcomes(await api.hubspot([created(1), unread])) == ["accepted", "refused"]
    async with api.db.session() as session:
        (dead_letter,) = await dead_letters.all_parked(session)
    assert (dead_letter.topic, json.loads(dead_letter.value or b"")) == ("inbound.v1", unread)
    assert "external_id" in dead_letter.detail
    item = handlers.decode(
        Record(dead_letter.topic, 0, 7, dead_letter.key, dead_letter.value, dead_letter.headers)
    )
    assert not isinstance(item, Skipped)
    mended = (EXAMPLES / "webhooks-hubspot.yaml").read_text().replace("objectId", "eventId")
    for connections, parked in ((examples(), 2), (connections_of(mended, "mended"), 2)):
        async with api.db.transaction() as tx:
            await save_connections(tx, connections)
            await handlers.handle_batch(tx, [item], NOON, keys=KEYS)
            assert len(await dead_letters.all_parked(tx)) == parked
    async with api.db.session() as session:
        receipt = await queries.receipt(session, "hubspot", "7")
    assert json.loads(receipt or "{}")["outcome"] == "accepted"
