"""Erasure of dead letters: those that mention the requester are deleted, whatever their fault."""

import json
from pathlib import Path
from typing import Final

from tests.integration.intake.conftest import REQUEST, Intake, save_connections

from intake import webhooks
from shared.basics.errors import Poison
from shared.events.codec import Header, Record
from shared.platform import dead_letters
from shared.platform.dead_letters import DeadLetter
from shared.webhooks import load_connections

REQUESTER: Final = "requester-canary@example.com"
HUBSPOT: Final = Path(__file__).parents[3] / "docs" / "examples" / "webhooks-hubspot.yaml"
IN_OUTBOX: Final = "SELECT string_agg(o::text, ' ') FROM outbox AS o"


def record(value: bytes | None, *headers: Header, key: bytes | None = None) -> Record:
    """Make a record that cannot be read."""
    return Record("inbound.v1", 0, 0, key, value, headers)


def document(**changes: object) -> bytes:
    """Make an invalid request of the requester."""
    return json.dumps({**REQUEST, "requester_id": REQUESTER, "channel": "fax", **changes}).encode()


ABOUT: Final = {
    "cut short": record(document()[:-10]),
    "UTF-16": record(document().decode().encode("utf-16")),
    "by the key": record(b"{", key=REQUESTER.encode()),
    "by a header": record(b"{", ("ü", None), ("ce_subject", REQUESTER.encode())),
    "faulty": record(document()),
    "structured": record(b'{"specversion": "1.0", "data": ' + document() + b"}"),
    "of no source": record(json.dumps([REQUESTER]).encode()),
    "tombstone": record(None, key=REQUESTER.encode()),
}
NOT_ABOUT: Final = {
    "another requester": record(document(requester_id="ada")),
    "a longer id": record(document(requester_id=f"{REQUESTER}pany")),
    "another source": record(document(source="elsewhere")),
}


async def parked_letters(intake: Intake) -> list[DeadLetter]:
    """Read the dead letters."""
    async with intake.db.session() as session:
        return await dead_letters.all_parked(session)


async def test_dead_letters_of_the_requester_are_deleted(empty_intake: Intake) -> None:
    """Those of others are kept. The announcements of dead letters contain no content."""
    async with empty_intake.db.transaction() as tx:
        for one in (*ABOUT.values(), *NOT_ABOUT.values()):
            why = Poison("bad_data", "channel: unknown")
            await dead_letters.park(tx, one, why, service="intake", attempts=1)
        assert "requester-canary" not in await tx.fetchval(IN_OUTBOX)
    answer = await empty_intake.client.delete(f"/v1/subjects/app-form/{REQUESTER}")
    assert answer.status_code == 200
    assert [x.value for x in await parked_letters(empty_intake)] == [
        x.value for x in NOT_ABOUT.values()
    ]


async def test_a_webhook_event_belongs_to_its_connections_source(empty_intake: Intake) -> None:
    """One of another source is kept; one of a removed connection is deleted."""
    async with empty_intake.db.transaction() as tx:
        await save_connections(tx, load_connections(HUBSPOT))
        for connection in ("hubspot-tickets", "gone"):
            await webhooks.park(tx, connection, {"sourceId": 47, "portalId": 470}, "no objectId")
    for source, left in (("app-form", ["hubspot-tickets"]), ("hubspot", [])):
        answer = await empty_intake.client.delete(f"/v1/subjects/{source}/47")
        assert answer.status_code == 200
        assert [(x.key or b"").decode() for x in await parked_letters(empty_intake)] == left


async def test_an_id_that_needs_escapes_is_found(empty_intake: Intake) -> None:
    """With JSON escapes or without, in UTF-8 or Latin-1."""
    requester = 'Zoë "Z"'
    texts = [json.dumps([requester]), json.dumps([requester], ensure_ascii=False)]
    values = [texts[0].encode(), texts[1].encode(), texts[1].encode("latin-1")]
    async with empty_intake.db.transaction() as tx:
        for value in values:
            why = Poison("bad_json", "x")
            await dead_letters.park(tx, record(value), why, service="intake", attempts=1)
    answer = await empty_intake.client.delete(f"/v1/subjects/app-form/{requester}")
    assert answer.status_code == 200
    assert await parked_letters(empty_intake) == []
