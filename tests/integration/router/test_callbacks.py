"""Callbacks on a real PostgreSQL: what is stored between batches, and what the sweep does."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import pytest
from httpx import AsyncClient
from tests.integration.router.conftest import api_client

from router.domain.matching import default_rules
from router.domain.offers.rules import OfferRules
from router.service.routing import RoutingService
from router.store.offers import save_rules
from router.sweep import Sweeper
from shared.basics.clock import wait_at_most
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
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, minutes
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
KEYS: Final = "SELECT count(*) FROM callback_request WHERE number_key IS NOT NULL"
WAITING: Final = "SELECT count(*) FROM ticket WHERE waiting"
LOOK_S: Final = 0.01
WAIT_S_MAX: Final = 30


class CallbackRouter:
    """Router with its API on a database of its own, at a fixed business time."""

    def __init__(
        self, db: Database, owner: Database, routing: RoutingService, client: AsyncClient
    ) -> None:
        self.db = db
        self.routing = routing
        self.client = client
        self._owner = owner

    async def set_time(self, after_min: float) -> None:
        """Set the time, in minutes after noon."""
        moment: datetime = NOON + minutes(after_min)
        async with self._owner.session() as session:
            await session.execute(STAND.format(moment.isoformat()))

    async def apply(self, *envelopes: Envelope[Event]) -> None:
        """Apply a batch at noon."""
        async with self.db.transaction() as tx:
            await self.routing.apply_events(tx, envelopes, NOON)

    async def report_attempt(self, outcome: str, /, **more: str) -> Any:  # noqa: ANN401 - an answer
        """Report the outcome of a call."""
        body = {"specialist_id": "ann", "outcome": outcome, **more}
        return await self.client.post(f"/v1/tickets/{T1}/attempts", json=body)

    async def calls(self, query: str = "") -> Any:  # noqa: ANN401 - JSON
        """List calls."""
        return (await self.client.get(f"/v1/callbacks{query}")).json()

    async def read(self, statement: str) -> int:
        """Return a count."""
        async with self.db.session() as session:
            return int(await session.fetchval(statement))

    async def events_with(self, field: str) -> list[dict[str, Any]]:
        """Return the announced events that have a field."""
        async with self.db.session() as session:
            facts = [json.loads(row["fact"]) for row in await session.fetch(ANNOUNCED)]
        return [fact for fact in facts if field in fact]


@pytest.fixture
async def router(fresh: FreshDatabase) -> AsyncIterator[CallbackRouter]:
    """Run router with two specialists at noon."""
    db = Database(fresh.dsn, service="router")
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await db.start()
    await owner.start()
    async with db.transaction() as tx:
        await save_rules(tx, OfferRules(rings={}))
    routing = RoutingService(default_rules())
    async with api_client(fresh, db, routing) as client:
        made = CallbackRouter(db, owner, routing, client)
        await made.set_time(0)
        await made.apply(a_specialist("ann"), a_specialist("ben"))
        yield made
    await db.stop()
    await owner.stop()


def call_request(name: str, *, after_min: float = 0, channel: Channel = "phone") -> Envelope[Event]:
    """Build a request for a call to the number."""
    envelope = a_ticket(name, channel=channel, after_min=after_min)
    assert isinstance(envelope.event, TicketAccepted)
    event = envelope.event.model_copy(update={"number_key": NUMBER})
    return Envelope(envelope.id, "test", envelope.time, event)


async def test_a_second_request_joins_the_call_and_is_settled_with_it(
    router: CallbackRouter,
) -> None:
    """Across batches: it needs no specialist of its own, and one call settles both."""
    await router.apply(call_request("T1"))
    await router.apply(call_request("T2", after_min=1))
    assert [fact["joined"] for fact in await router.events_with("joined")] == [str(T1)]
    assert await router.read(WAITING) == 0
    await router.set_time(2)
    answer = await router.report_attempt("answered")
    assert (answer.status_code, answer.json()["state"]) == (200, "kept")
    assert {fact["ticket_id"] for fact in await router.events_with("how")} == {str(T1), str(T2)}
    assert await router.calls("?open=true") == []
    [call] = await router.calls()
    assert call["tickets"] == [str(T1), str(T2)]


async def test_a_joined_request_is_assigned_in_a_later_batch(router: CallbackRouter) -> None:
    """The first is closed: a call is still owed on the second."""
    await router.apply(call_request("T1"))
    await router.apply(call_request("T2", after_min=1))
    await router.apply(a_fact(TicketClosed, "T1", after_min=2))
    assigned = [f["ticket_id"] for f in await router.events_with("waited_ms")]
    assert assigned == [str(T1), str(T2)]


async def test_a_failed_attempt_returns_the_time_of_the_next(router: CallbackRouter) -> None:
    """A repeated report is the same attempt."""
    await router.apply(call_request("T1"))
    await router.set_time(1)
    for _ in range(2):
        answer = await router.report_attempt("no_answer")
        assert answer.json()["planned_at"] == "2026-03-02T12:02:36Z"
        assert len(answer.json()["attempts"]) == 1
    [call] = await router.calls("?open=true")
    assert (call["state"], call["due_at"]) == ("waiting", "2026-03-02T12:05:00Z")


async def test_the_sweep_announces_a_reminder_when_a_dial_is_due(router: CallbackRouter) -> None:
    """Once, to the ticket's specialist."""
    await router.apply(call_request("T1"))
    await router.set_time(1)
    await router.report_attempt("no_answer")
    sweeper = Sweeper(router.db, router.routing)
    await sweeper.start()
    await router.set_time(2.6)
    async with asyncio.timeout(WAIT_S_MAX):
        while not (
            reminded := [f for f in await router.events_with("attempt") if "account_id" in f]
        ):
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
    await sweeper.stop()
    async with router.db.transaction() as tx:
        await router.routing.wake(tx, NOON + minutes(3))
    assert [f for f in await router.events_with("attempt") if "account_id" in f] == reminded
    [fact] = reminded
    event = CallbackReminded.model_validate(fact)
    assert (event.ticket_id, event.specialist_id, event.attempt) == (T1, "ann", 2)


async def test_a_settled_call_has_no_reminder(router: CallbackRouter) -> None:
    """The customer was reached before the planned dial."""
    await router.apply(call_request("T1"))
    await router.set_time(1)
    await router.report_attempt("no_answer")
    await router.apply(a_fact(CustomerReached, "T1", after_min=2))
    await router.set_time(3)
    async with router.db.transaction() as tx:
        await router.routing.wake(tx, NOON + minutes(3))
    assert [f for f in await router.events_with("attempt") if "account_id" in f] == []
    assert (await router.report_attempt("no_answer")).status_code == 409


async def test_an_event_before_its_request_counts(router: CallbackRouter) -> None:
    """The answer arrived before the request; events about an e-mail are deleted."""
    await router.apply(a_fact(TicketResponded, "T1", after_min=2), a_fact(TicketResponded, "T2"))
    assert await router.read(FACTS) == 2
    await router.apply(call_request("T1"), a_ticket("T2"))
    assert await router.read(FACTS) == 1
    assert (await router.calls())[0]["state"] == "ended"


async def test_an_erased_number_is_deleted(router: CallbackRouter) -> None:
    """The ticket cannot be found by its key any more."""
    await router.apply(call_request("T1"))
    assert await router.read(KEYS) == 1
    await router.apply(a_fact(TicketErased, "T1", after_min=1))
    assert await router.read(KEYS) == 0


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"at": "2026-03-02T12:09:00Z"}, 422),
        ({"outcome": "tired"}, 422),
        ({"specialist_id": "eve"}, 422),
    ],
)
async def test_a_bad_attempt_is_refused(
    router: CallbackRouter, more: dict[str, str], status: int
) -> None:
    """The error names the field."""
    await router.apply(call_request("T1"))
    answer = await router.report_attempt("busy", **more)
    assert answer.status_code == status
    assert [e["field"] for e in answer.json()["errors"]] == [*more]


async def test_an_email_has_no_call(router: CallbackRouter) -> None:
    """It is not found among the calls."""
    await router.apply(a_ticket("T1"))
    assert (await router.report_attempt("busy")).status_code == 404


async def test_a_response_settles_the_call_of_its_ticket_only(router: CallbackRouter) -> None:
    """A joined request is still owed the call and is assigned."""
    await router.apply(call_request("T1"))
    await router.apply(call_request("T2", after_min=1))
    await router.set_time(2)
    answer = await router.client.post(f"/v1/tickets/{T1}/responded", json={"specialist_id": "ann"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "settled")
    [call] = await router.calls("?open=true")
    assert call["waiting"] == [str(T2)]
    assert [fact["ticket_id"] for fact in await router.events_with("due_at")][-1] == str(T2)
