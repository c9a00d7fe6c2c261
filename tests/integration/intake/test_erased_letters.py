"""An erasure reaches what could not be read: dead letters, whatever was the matter with them."""

import json
from pathlib import Path
from typing import Final

from tests.integration.intake.conftest import REQUEST, Intake

from intake import webhooks
from premium.webhooks.command import apply_connections
from shared.basics.errors import Poison
from shared.events.codec import Header, Record
from shared.platform import dead_letters
from shared.platform.dead_letters import DeadLetter
from shared.webhooks import load_connections

WHO: Final = "who-canary@example.com"
HUBSPOT: Final = Path(__file__).parents[3] / "docs" / "examples" / "webhooks-hubspot.yaml"
IN_OUTBOX: Final = "SELECT string_agg(o::text, ' ') FROM outbox AS o"


def record(value: bytes | None, *headers: Header, key: bytes | None = None) -> Record:
    """Lay out a record that cannot be read."""
    return Record("inbound.v1", 0, 0, key, value, headers)


def document(**changes: object) -> bytes:
    """Write a request of theirs with a fault."""
    return json.dumps({**REQUEST, "requester_id": WHO, "channel": "fax", **changes}).encode()


ABOUT: Final = {
    "cut short": record(document()[:-10]),
    "UTF-16": record(document().decode().encode("utf-16")),
    "by the key": record(b"{", key=WHO.encode()),
    "by a header": record(b"{", ("ü", None), ("ce_subject", WHO.encode())),
    "faulty": record(document()),
    "structured": record(b'{"specversion": "1.0", "data": ' + document() + b"}"),
    "of no source": record(json.dumps([WHO]).encode()),
    "tombstone": record(None, key=WHO.encode()),
}
NOT_ABOUT: Final = {
    "somebody else's": record(document(requester_id="ada")),
    "a longer id": record(document(requester_id=f"{WHO}pany")),
    "another source": record(document(source="elsewhere")),
}


async def lying(intake: Intake) -> list[DeadLetter]:
    """Read what lies aside."""
    async with intake.db.session() as session:
        return await dead_letters.all_parked(session)


async def test_what_could_not_be_read_is_dropped(stranger: Intake) -> None:
    """Other people's stays, and what is said of it in Kafka never held a byte."""
    async with stranger.db.transaction() as tx:
        for one in (*ABOUT.values(), *NOT_ABOUT.values()):
            why = Poison("bad_data", "channel: unknown")
            await dead_letters.park(tx, one, why, service="intake", attempts=1)
        assert "who-canary" not in await tx.fetchval(IN_OUTBOX)
    answer = await stranger.client.delete(f"/v1/subjects/app-form/{WHO}")
    assert answer.status_code == 200
    assert [x.value for x in await lying(stranger)] == [x.value for x in NOT_ABOUT.values()]


async def test_a_webhook_event_is_of_its_connections_source(stranger: Intake) -> None:
    """What came by a connection of another source stays; of one that is gone nobody knows."""
    async with stranger.db.transaction() as tx:
        await apply_connections(tx, load_connections(HUBSPOT))
        for connection in ("hubspot-tickets", "gone"):
            await webhooks.park(tx, connection, {"sourceId": 47, "portalId": 470}, "no objectId")
    for source, left in (("app-form", ["hubspot-tickets"]), ("hubspot", [])):
        answer = await stranger.client.delete(f"/v1/subjects/{source}/47")
        assert answer.status_code == 200
        assert [(x.key or b"").decode() for x in await lying(stranger)] == left


async def test_an_id_that_needs_escapes_is_found(stranger: Intake) -> None:
    """As the sender's library wrote it: escaped or plain, quoted or in Latin-1."""
    who = 'Zoë "Z"'
    ways = [json.dumps([who]), json.dumps([who], ensure_ascii=False)]
    values = [ways[0].encode(), ways[1].encode(), ways[1].encode("latin-1")]
    async with stranger.db.transaction() as tx:
        for value in values:
            why = Poison("bad_json", "x")
            await dead_letters.park(tx, record(value), why, service="intake", attempts=1)
    answer = await stranger.client.delete(f"/v1/subjects/app-form/{who}")
    assert answer.status_code == 200
    assert await lying(stranger) == []
