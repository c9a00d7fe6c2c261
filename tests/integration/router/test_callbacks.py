"""Promised calls on a real PostgreSQL: what is kept between batches, and what wakes the router."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import pytest
from httpx import AsyncClient
from tests.integration.router.conftest import at_the_door

from router.domain.matching import default_rules
from router.domain.offers.rules import OfferRules
from router.service.routing import RoutingService
from router.store.offers import save_rules
from router.sweep import Sweeper
from shared.basics.clock import or_after
from shared.events import (
    CallbackReminded,
    CustomerReached,
    Envelope,
    Event,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketResponded,
    ticket_id_of,
)
from shared.platform.postgres import Database
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes, told
from shared.testing.databases import FreshDatabase

NUMBER: Final = "0123456789abcdef"
T1, T2 = ticket_id_of("test", "T1"), ticket_id_of("test", "T2")
ANNOUNCED: Final = """
    SELECT convert_from(value, 'UTF8') AS fact FROM outbox
    WHERE convert_from(value, 'UTF8')::json ->> 'ticket_id' IS NOT NULL ORDER BY id
"""
STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""
FACTS: Final = "SELECT count(*) FROM callback_fact"
KEYS: Final = "SELECT count(*) FROM callback_wish WHERE number_key IS NOT NULL"
WAITING: Final = "SELECT count(*) FROM ticket WHERE waiting"
LOOK_S: Final = 0.01
WAIT_S_MAX: Final = 30


class Desk:
    """Router on a database of its own, with its door, and a time that stands until it is set."""

    def __init__(
        self, db: Database, owner: Database, routing: RoutingService, client: AsyncClient
    ) -> None:
        self.db = db
        self.routing = routing
        self.client = client
        self._owner = owner

    async def stand_at(self, after_min: float) -> None:
        """Let it be so long after noon."""
        moment: datetime = NOON + minutes(after_min)
        async with self._owner.session() as session:
            await session.execute(STAND.format(moment.isoformat()))

    async def take(self, *envelopes: Envelope[Event]) -> None:
        """Hand a batch in, at noon."""
        async with self.db.transaction() as tx:
            await self.routing.apply_events(tx, envelopes, NOON)

    async def dial(self, told: str, **more: str) -> Any:  # noqa: ANN401 - an answer
        """Say what came of a call."""
        body = {"specialist_id": "ann", "outcome": told, **more}
        return await self.client.post(f"/v1/tickets/{T1}/attempts", json=body)

    async def calls(self, query: str = "") -> Any:  # noqa: ANN401 - JSON
        """List calls."""
        return (await self.client.get(f"/v1/callbacks{query}")).json()

    async def read(self, statement: str) -> int:
        """Count something."""
        async with self.db.session() as session:
            return int(await session.fetchval(statement))

    async def said(self, field: str) -> list[dict[str, Any]]:
        """Read the facts announced that have a field."""
        async with self.db.session() as session:
            facts = [json.loads(row["fact"]) for row in await session.fetch(ANNOUNCED)]
        return [fact for fact in facts if field in fact]


@pytest.fixture
async def desk(fresh: FreshDatabase) -> AsyncIterator[Desk]:
    """Run router, with two specialists, at noon."""
    db = Database(fresh.dsn, service="router")
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await db.start()
    await owner.start()
    async with db.transaction() as tx:
        await save_rules(tx, OfferRules(rings={}))
    routing = RoutingService(default_rules())
    async with at_the_door(fresh, db, routing) as client:
        made = Desk(db, owner, routing, client)
        await made.stand_at(0)
        await made.take(a_specialist("ann"), a_specialist("ben"))
        yield made
    await db.stop()
    await owner.stop()


def wish(name: str, *, after_min: float = 0, channel: Channel = "phone") -> Envelope[Event]:
    """Accept a ticket at the number."""
    envelope = a_ticket(name, channel=channel, after_min=after_min)
    assert isinstance(envelope.event, TicketAccepted)
    event = envelope.event.model_copy(update={"number_key": NUMBER})
    return Envelope(envelope.id, "test", envelope.time, event)


async def test_a_second_request_joins_the_call_and_is_settled_with_it(desk: Desk) -> None:
    """Across batches: it waits for nobody of its own, and both are answered by one call."""
    await desk.take(wish("T1"))
    await desk.take(wish("T2", after_min=1))
    assert [fact["joined"] for fact in await desk.said("joined")] == [str(T1)]
    assert await desk.read(WAITING) == 0
    await desk.stand_at(2)
    answer = await desk.dial("answered")
    assert (answer.status_code, answer.json()["state"]) == (200, "kept")
    assert {fact["ticket_id"] for fact in await desk.said("how")} == {str(T1), str(T2)}
    assert await desk.calls("?open=true") == []
    [call] = await desk.calls()
    assert call["tickets"] == [str(T1), str(T2)]


async def test_who_rode_along_is_found_somebody_in_a_later_batch(desk: Desk) -> None:
    """The first is closed: the second is owed a call of its own."""
    await desk.take(wish("T1"))
    await desk.take(wish("T2", after_min=1))
    await desk.take(told(TicketClosed, "T1", after_min=2))
    assigned = [f["ticket_id"] for f in await desk.said("waited_ms")]
    assert assigned == [str(T1), str(T2)]


async def test_a_failed_attempt_is_answered_with_the_next(desk: Desk) -> None:
    """And told again it is the same attempt."""
    await desk.take(wish("T1"))
    await desk.stand_at(1)
    for _ in range(2):
        answer = await desk.dial("no_answer")
        assert answer.json()["planned_at"] == "2026-03-02T12:02:36Z"
        assert len(answer.json()["attempts"]) == 1
    [call] = await desk.calls("?open=true")
    assert (call["state"], call["due_at"]) == ("waiting", "2026-03-02T12:05:00Z")


async def test_the_sweep_reminds_when_it_is_time_to_dial(desk: Desk) -> None:
    """Once, whoever has the ticket."""
    await desk.take(wish("T1"))
    await desk.stand_at(1)
    await desk.dial("no_answer")
    sweeper = Sweeper(desk.db, desk.routing)
    await sweeper.start()
    await desk.stand_at(2.6)
    async with asyncio.timeout(WAIT_S_MAX):
        while not (reminded := [f for f in await desk.said("attempt") if "account_id" in f]):
            await or_after(asyncio.Event().wait(), LOOK_S)
    await sweeper.stop()
    async with desk.db.transaction() as tx:
        await desk.routing.wake(tx, NOON + minutes(3))
    assert [f for f in await desk.said("attempt") if "account_id" in f] == reminded
    [fact] = reminded
    event = CallbackReminded.model_validate(fact)
    assert (event.ticket_id, event.specialist_id, event.attempt) == (T1, "ann", 2)


async def test_nobody_is_reminded_of_a_call_that_was_settled(desk: Desk) -> None:
    """The customer was reached before the planned dial."""
    await desk.take(wish("T1"))
    await desk.stand_at(1)
    await desk.dial("no_answer")
    await desk.take(told(CustomerReached, "T1", after_min=2))
    await desk.stand_at(3)
    async with desk.db.transaction() as tx:
        await desk.routing.wake(tx, NOON + minutes(3))
    assert [f for f in await desk.said("attempt") if "account_id" in f] == []
    assert (await desk.dial("no_answer")).status_code == 409


async def test_what_came_before_the_request_counts(desk: Desk) -> None:
    """Its answer overtook it; what overtook a mail is forgotten."""
    await desk.take(told(TicketResponded, "T1", after_min=2), told(TicketResponded, "T2"))
    assert await desk.read(FACTS) == 2
    await desk.take(wish("T1"), a_ticket("T2"))
    assert await desk.read(FACTS) == 1
    assert (await desk.calls())[0]["state"] == "ended"


async def test_an_erased_number_is_forgotten(desk: Desk) -> None:
    """By its key nobody finds the ticket any more."""
    await desk.take(wish("T1"))
    assert await desk.read(KEYS) == 1
    await desk.take(told(TicketErased, "T1", after_min=1))
    assert await desk.read(KEYS) == 0


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"at": "2026-03-02T12:09:00Z"}, 422),
        ({"outcome": "tired"}, 422),
        ({"specialist_id": "eve"}, 422),
    ],
)
async def test_a_bad_attempt_is_refused(desk: Desk, more: dict[str, str], status: int) -> None:
    """The field is named."""
    await desk.take(wish("T1"))
    answer = await desk.dial("busy", **more)
    assert answer.status_code == status
    assert [e["field"] for e in answer.json()["errors"]] == [*more]


async def test_nobody_dials_for_a_mail(desk: Desk) -> None:
    """It is not found among the calls."""
    await desk.take(a_ticket("T1"))
    assert (await desk.dial("busy")).status_code == 404


async def test_who_is_answered_at_the_desk_is_owed_no_call(desk: Desk) -> None:
    """Who waited for that call as well is owed it still, and somebody is found for them."""
    await desk.take(wish("T1"))
    await desk.take(wish("T2", after_min=1))
    await desk.stand_at(2)
    answer = await desk.client.post(f"/v1/tickets/{T1}/responded", json={"specialist_id": "ann"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "settled")
    [call] = await desk.calls("?open=true")
    assert call["waiting"] == [str(T2)]
    assert [fact["ticket_id"] for fact in await desk.said("due_at")][-1] == str(T2)
