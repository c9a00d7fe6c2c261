"""Webhooks over HTTP, with connections and time from a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.integration.intake.conftest import KEYS, STAND

from intake import handlers
from intake.api.webhooks import routes
from intake.store import queries
from intake.webhooks import Secrets, hubspot, standard
from premium.webhooks import store as operator
from premium.webhooks.command import apply_connections
from shared.basics.errors import Transient
from shared.events import Inbound
from shared.events.codec import Record, Skipped
from shared.platform import dead_letters
from shared.platform.api import make_api
from shared.platform.postgres import Database
from shared.testing.builders import NOON
from shared.testing.databases import MakeDatabase
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
LATER, LATEST = {**REPLY, "at": "2026-03-02T12:05:00Z"}, "2026-03-02T12:10:00Z"


@dataclass
class Became:
    """What the fake desk says of a document."""

    outcome: str
    reason: str | None = None


@dataclass
class Desk:
    """Takes documents as intake's desk does: each once."""

    taken: list[Inbound] = field(default_factory=list)
    erased: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False
    hangs: bool = False

    async def submit(self, contents: Sequence[Inbound]) -> list[Became]:
        """Take documents."""
        if self.is_away:
            raise Transient("PostgreSQL: away")
        if self.hangs:
            await asyncio.Event().wait()
        return [self._take(content) for content in contents]

    async def erase(self, source: str, subject_id: str) -> None:
        """Forget somebody."""
        self.erased.append((source, subject_id))

    def _take(self, content: Inbound) -> Became:
        if content.document_id in {other.document_id for other in self.taken}:
            return Became("duplicate")
        self.taken.append(content)
        return Became("accepted")


@dataclass
class Doors:
    """Intake's doors for webhooks, with both of the examples' connections."""

    client: AsyncClient
    desk: Desk
    db: Database
    secrets: Path

    async def hubspot(self, events: Any, **changes: Any) -> Response:  # noqa: ANN401 - JSON
        """Post as HubSpot does."""
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
        """Post as any other system does."""
        body = json.dumps(event).encode()
        headers = {
            "webhook-id": name,
            "webhook-timestamp": S,
            "webhook-signature": standard.sign(key, name, S, body),
        }
        return await self.client.post(SIGNED_PATH, content=body, headers=headers)


@pytest.fixture
async def doors(database: MakeDatabase, tmp_path: Path) -> AsyncIterator[Doors]:
    """Open the doors, at noon."""
    fresh = await database("intake")
    db = Database(fresh.dsn, service="intake")
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    for one in (db, owner):
        await one.start()
    async with owner.session() as session:
        await session.execute(STAND.format(NOON.isoformat()))
    async with db.transaction() as tx:
        await apply_connections(tx, examples())
    (tmp_path / "hubspot-client-secret").write_text("hub secret\n")
    (tmp_path / "helpdesk-2026").write_text(WHSEC)
    desk = Desk()
    app = make_api("intake", [])
    app.include_router(routes(db, Secrets(tmp_path), desk.submit, desk.erase))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://intake") as client:
        yield Doors(client, desk, db, tmp_path)
    for one in (db, owner):
        await one.stop()


def examples() -> tuple[WebhookConnection, ...]:
    """Read both of the examples' connections."""
    files = ("webhooks-hubspot.yaml", "webhooks-helpdesk.yaml")
    return tuple(one for file in files for one in load_connections(EXAMPLES / file))


def created(ticket: object, **changes: object) -> dict[str, Any]:
    """Make an event of HubSpot's."""
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
    """Close a ticket in HubSpot."""
    return created(
        ticket,
        subscriptionType="ticket.propertyChange",
        propertyName="hs_pipeline_stage",
        propertyValue="4",
    )


def outcomes(answer: Response) -> list[str]:
    """Read what became of each event."""
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()["answers"]]


async def test_copies_are_told_apart(doors: Doors) -> None:
    """In one array, and in a later attempt."""
    assert outcomes(await doors.hubspot([created(1), closed(1), closed(1)])) == [
        "accepted",
        "accepted",
        "duplicate",
    ]
    again = [one | {"attemptNumber": 1} for one in (created(1), closed(1))]
    assert outcomes(await doors.hubspot(again)) == ["duplicate"] * 2


async def test_a_later_fact_may_come_first(doors: Doors) -> None:
    """HubSpot promises no order: both speak of one ticket, whichever comes first."""
    await doors.hubspot([closed(1)])
    await doors.hubspot([created(1)])
    assert len({content.ticket_id for content in doors.desk.taken}) == 1


async def test_events_that_are_none_of_ours_are_fine(doors: Doors) -> None:
    """They get a 2xx, or HubSpot would send them for a day; so does an empty array."""
    assert outcomes(await doors.hubspot([created(1, subscriptionType="deal.creation")])) == [
        "ignored"
    ]
    assert outcomes(await doors.hubspot([])) == []
    assert doors.desk.taken == []


async def test_people_are_forgotten_once(doors: Doors) -> None:
    """Whatever the mapping says, and after what else came with it."""
    gone = created(77, subscriptionType="contact.privacyDeletion")
    assert outcomes(await doors.hubspot([gone, created(1), gone])) == [
        "erased",
        "accepted",
        "erased",
    ]
    assert doors.desk.erased == [("hubspot", "77")]


async def test_who_does_not_sign_is_refused(doors: Doors) -> None:
    """401 for another secret, or none; 404 for a connection of that kind that there is not."""
    assert (await doors.hubspot([created(1)], secret=b"guess")).status_code == 401
    assert (await doors.client.post(HUBSPOT_PATH, json=[created(1)])).status_code == 401
    assert (await doors.signed(REPLY, key=bytes(32))).status_code == 401
    for path in ("hubspot/other", "signed/hubspot-tickets", "hubspot/helpdesk"):
        answer = await doors.client.post(f"/v1/webhooks/{path}", json=[])
        assert answer.status_code == 404
    assert doors.desk.taken == []


async def test_what_is_too_large_or_no_json_is_refused(doors: Doors) -> None:
    """413, read no further than need be; 400 for what is not HubSpot's form."""
    assert (await doors.hubspot(b" " * (256 * 1024 + 1))).status_code == 413
    for body in (b"{", b"{}", b"", b"[NaN]", b"[" * 50 + b"]" * 50, [created(1)] * 101):
        assert (await doors.hubspot(body)).status_code == 400


async def test_a_secret_is_exchanged_without_a_gap(doors: Doors) -> None:
    """With two secrets named, either is taken; one that is not there yet may come later."""
    (helpdesk,) = (one for one in examples() if one.kind == "signed")
    both = helpdesk.model_copy(update={"secrets": ("helpdesk-2026", "helpdesk-2027")})
    async with doors.db.transaction() as tx:
        await apply_connections(tx, (both,))
    new = bytes(range(1, 33))
    assert outcomes(await doors.signed(REPLY)) == ["accepted"]
    assert (await doors.signed(LATER, "msg_2", new)).status_code == 503
    (doors.secrets / "helpdesk-2028").write_text(
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
    )
    renamed = helpdesk.model_copy(update={"secrets": ("helpdesk-2026", "helpdesk-2028")})
    async with doors.db.transaction() as tx:
        await apply_connections(tx, (renamed,))
    assert outcomes(await doors.signed(LATER, "msg_2", new)) == ["accepted"]
    assert outcomes(await doors.signed({**LATER, "at": LATEST}, "msg_3")) == ["accepted"]


async def test_the_same_webhook_id_is_the_same_fact(doors: Doors) -> None:
    """A sender's second try is a copy, and so is what says the same; other news is news."""
    tries = ((REPLY, "a"), (REPLY, "a"), (REPLY, "b"), (LATER, "c"))
    became = [outcomes(await doors.signed(event, name)) for event, name in tries]
    assert became == [["accepted"], ["duplicate"], ["duplicate"], ["accepted"]]


async def test_a_single_event_that_is_bad_is_told_to_its_sender(doors: Doors) -> None:
    """422 with every fault: who mends the mapping gets it when it is sent again."""
    answer = await doors.signed({**REPLY, "at": "soon", "ticket": {}})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "external_id: $.ticket.id is missing; occurred_at: is no time of the form iso"
    )


async def test_while_something_of_ours_is_away_nothing_is_lost(doors: Doors) -> None:
    """503, so that it is sent again."""
    doors.desk.is_away = True
    answer = await doors.hubspot([created(1)])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    doors.desk.is_away = False
    assert outcomes(await doors.hubspot([created(1)])) == ["accepted"]


async def test_the_answer_comes_within_five_seconds(doors: Doors) -> None:
    """Whatever hangs: 503, and the same again is taken."""
    doors.desk.hangs = True
    async with asyncio.timeout(5):
        answer = await doors.hubspot([created(1)])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    doors.desk.hangs = False
    assert outcomes(await doors.hubspot([created(1)])) == ["accepted"]


async def test_the_operator_sees_what_changes_before_it_does(doors: Doors) -> None:
    """A dry run saves nothing; what is as it was is no change; what is removed is gone."""
    (hub, desk) = examples()
    other = desk.model_copy(update={"secrets": ("next",)})
    path = "/v1/webhooks/signed/helpdesk (secrets next)"
    async with doors.db.transaction() as tx:
        for _ in range(2):
            said = await apply_connections(tx, (hub, other), dry_run=True)
            assert said == [f"~ {path}: secrets", "1 would change, 1 as they were"]
        assert (await apply_connections(tx, (hub, other)))[-1] == "1 changed, 1 as they were"
        assert await operator.connections(tx) == {hub.name: hub, desk.name: other}
        assert await operator.remove(tx, "helpdesk")
        assert not await operator.remove(tx, "helpdesk")
        assert await apply_connections(tx, (other,)) == [f"+ {path}", "1 changed, 0 as they were"]


async def test_what_cannot_be_read_is_parked_and_read_again(doors: Doors) -> None:
    """HubSpot sends nothing twice that was answered: redriven, the mended mapping reads it."""
    unread = created(9, objectId=[])
    assert outcomes(await doors.hubspot([created(1), unread])) == ["accepted", "refused"]
    async with doors.db.session() as session:
        (letter,) = await dead_letters.all_parked(session)
    assert (letter.topic, json.loads(letter.value or b"")) == ("inbound.v1", unread)
    assert "external_id" in letter.detail
    item = handlers.decode(Record(letter.topic, 0, 7, letter.key, letter.value, letter.headers))
    assert not isinstance(item, Skipped)
    mended = (EXAMPLES / "webhooks-hubspot.yaml").read_text().replace("objectId", "eventId")
    for connections, parked in ((examples(), 2), (connections_of(mended, "mended"), 2)):
        async with doors.db.transaction() as tx:
            await apply_connections(tx, connections)
            await handlers.take(tx, [item], NOON, keys=KEYS)
            assert len(await dead_letters.all_parked(tx)) == parked
    async with doors.db.session() as session:
        receipt = await queries.receipt(session, "hubspot", "1")
    assert json.loads(receipt or "{}")["outcome"] == "held"
