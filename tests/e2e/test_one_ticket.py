"""One ticket passes through four real processes, Kafka, PostgreSQL and SMTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import httpx
import pytest

from devstack.stack import Stack
from shared.events import (
    AssignmentReleased,
    CallbackJoined,
    CallbackSettled,
    ClockMet,
    ClockPaused,
    ClockWarned,
    Envelope,
    Event,
    NotificationSent,
    PromiseBreached,
    TicketAccepted,
    TicketAssigned,
    TicketDeclined,
    TicketOffered,
)
from shared.platform import postgres
from shared.platform.postgres import Database

type Mails = Callable[[UUID], Awaitable[list[Any]]]


class Watch(Protocol):
    """The fixture that reads facts as they are published."""

    async def until(self, ticket_id: UUID, *types: type[Event]) -> list[Envelope[Event]]:
        """Wait for a ticket's facts of these types; return all its facts."""


async def now(stack: Stack) -> datetime:
    """Return the stack's business time."""
    db = Database(stack.addresses.dsn("intake"), service="test")
    await db.start()
    try:
        async with db.session() as session:
            return await postgres.now(session)
    finally:
        await db.stop()


def request(at: datetime, **changes: object) -> dict[str, Any]:
    """Make a request of the form."""
    return {
        "source": "app-form",
        "external_id": str(uuid4()),
        "account_id": "northwind",
        "requester_id": "ada",
        "role": "super_admin",
        "channel": "email",
        "language": "de",
        "subject": "Anmeldung",
        "body": "Niemand kann sich anmelden",
        "occurred_at": at.isoformat(),
        **changes,
    }


async def test_a_request_is_promised_assigned_answered_and_met(
    stack: Stack, http: httpx.AsyncClient, watch: Watch, mails: Mails
) -> None:
    """The request leads to a mail to the specialist; the answer meets the promise."""
    asked_at = await now(stack)
    form = request(asked_at)
    intake = stack.addresses.http("intake")
    answer = await http.post(f"{intake}/v1/tickets", json=form)
    assert answer.status_code == 202, answer.text
    ticket_id = UUID(answer.json()["ticket_id"])
    due_at = datetime.fromisoformat(answer.json()["promises"][0]["due_at"])
    assert due_at == asked_at + timedelta(hours=1)

    facts = await watch.until(ticket_id, TicketAccepted, TicketAssigned, NotificationSent)
    (assigned,) = events(facts, TicketAssigned)
    assert assigned.due_at == due_at
    assert not assigned.english_instead
    (mail,) = await mails(ticket_id)
    assert assigned.specialist_id in str(mail["to"])

    later = {"type": "responded", "occurred_at": (asked_at + timedelta(minutes=1)).isoformat()}
    fact = {**{name: form[name] for name in ("source", "external_id")}, **later}
    assert (await http.post(f"{intake}/v1/events", json=fact)).status_code == 202
    facts = await watch.until(ticket_id, ClockMet, AssignmentReleased)
    assert [met.in_time for met in events(facts, ClockMet)] == [True]


async def test_a_reply_after_the_answer_goes_back_to_the_specialist(
    stack: Stack, http: httpx.AsyncClient, watch: Watch, mails: Mails
) -> None:
    """While the ticket waits, nothing is due; a reply assigns it again, with a mail.

    The policy promises nothing for a reply, so there is no due time.
    """
    form = request(asked_at := await now(stack))
    name = {key: form[key] for key in ("source", "external_id")}
    intake = stack.addresses.http("intake")
    ticket_id = UUID((await http.post(f"{intake}/v1/tickets", json=form)).json()["ticket_id"])
    await watch.until(ticket_id, TicketAssigned, NotificationSent)

    async def send_fact(kind: str, after_s: float, **more: str) -> None:
        at = (asked_at + timedelta(seconds=after_s)).isoformat()
        fact = {**name, "type": kind, "occurred_at": at, **more}
        assert (await http.post(f"{intake}/v1/events", json=fact)).status_code == 202

    await send_fact("waiting", 0.1, waiting_for="customer")
    await watch.until(ticket_id, ClockPaused)
    shown: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while not shown.get("paused"):
            (shown,) = (await http.get(f"{intake}/v1/tickets/{ticket_id}")).json()["promises"]
    assert shown["due_at"] is None
    await send_fact("responded", 0.2)
    await watch.until(ticket_id, AssignmentReleased)
    await send_fact("customer_replied", 0.3)
    facts = await watch.until(ticket_id, TicketAssigned, TicketAssigned, *[NotificationSent] * 2)
    first, again = events(facts, TicketAssigned)
    assert (again.specialist_id, again.after_reply) == (first.specialist_id, True)
    assert (again.due_at, again.promise) == (None, None)
    subjects = [str(mail["subject"]) for mail in await mails(ticket_id)]
    assert "Customer replied · Standard email · northwind · no due time is promised" in subjects


async def test_a_promise_is_warned_about_and_its_breach_reported_to_the_team(
    stack: Stack, http: httpx.AsyncClient, watch: Watch, mails: Mails
) -> None:
    """A ticket created 59 minutes and 58 seconds ago is breached in two seconds."""
    at = await now(stack) - timedelta(minutes=59, seconds=58)
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=request(at))
    ticket_id = UUID(answer.json()["ticket_id"])
    sent = [NotificationSent] * 3
    facts = await watch.until(ticket_id, ClockWarned, PromiseBreached, *sent)
    assert [f.time for f in facts if isinstance(f.event, PromiseBreached)] == [
        at + timedelta(hours=1)
    ]
    assert [warned.percent for warned in events(facts, ClockWarned)] == [80]
    assert [mail["to"] for mail in await mails(ticket_id) if "team" in str(mail["to"])]


async def test_a_declined_ticket_goes_to_another_specialist(
    stack: Stack, http: httpx.AsyncClient, router_api: httpx.AsyncClient, watch: Watch
) -> None:
    """The next specialist who speaks German gets the ticket."""
    form = request(await now(stack))
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=form)
    ticket_id = UUID(answer.json()["ticket_id"])
    (first,) = events(await watch.until(ticket_id, TicketAssigned), TicketAssigned)
    decline = f"/v1/tickets/{ticket_id}/decline"
    body = {"specialist_id": first.specialist_id, "reason": "in a call"}
    assert (await router_api.post(decline, json=body)).status_code == 200
    again = await router_api.post(decline, json=body)
    assert again.status_code == 200
    facts = await watch.until(ticket_id, TicketDeclined, TicketAssigned, TicketAssigned)
    assert len({assigned.specialist_id for assigned in events(facts, TicketAssigned)}) == 2


async def test_a_bad_request_is_answered_with_every_bad_field(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    """The answer is a problem document (RFC 9457)."""
    bad = request(await now(stack), role="boss", channel="fax", colour="red")
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=bad)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {fault["field"] for fault in answer.json()["errors"]} == {"role", "channel", "colour"}


async def test_a_request_sent_twice_is_one_ticket(stack: Stack, http: httpx.AsyncClient) -> None:
    """The second answer is a duplicate, with the same promises."""
    form = request(await now(stack))
    place = f"{stack.addresses.http('intake')}/v1/tickets"
    first, second = [await http.post(place, json=form) for _ in range(2)]
    assert (first.json()["outcome"], second.json()["outcome"]) == ("accepted", "duplicate")
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["promises"] == second.json()["promises"]


@pytest.mark.parametrize("service", ["intake", "router", "sla-monitor", "notifier"])
async def test_every_service_reports_health_readiness_and_metrics(
    stack: Stack, http: httpx.AsyncClient, service: str
) -> None:
    """Each service is alive and ready, and has metrics."""
    place = stack.addresses.http(service)
    assert (await http.get(f"{place}/health")).json() == {"status": "alive"}
    assert (await http.get(f"{place}/ready")).json() == {"status": "ready", "faults": {}}
    assert "premium_outbox_age_seconds" in (await http.get(f"{place}/metrics")).text


def events[E: Event](facts: list[Envelope[Event]], kind: type[E]) -> list[E]:
    """Return the events of one type."""
    return [fact.event for fact in facts if isinstance(fact.event, kind)]


async def test_one_call_answers_two_requests_for_a_number(
    stack: Stack, http: httpx.AsyncClient, router_api: httpx.AsyncClient, watch: Watch
) -> None:
    """Numbers written differently lead to one call, which meets both promises."""
    asked_at = await now(stack)
    numbers = ("+49 (0)30 7654321", "+49307654321")
    forms = [request(asked_at, channel="phone", phone_number=number) for number in numbers]
    first, second = [await ticket_of(stack, http, form) for form in forms]
    (offered,) = events(await watch.until(first, TicketOffered), TicketOffered)
    accept = f"/v1/offers/{offered.offer_id}/accept"
    await router_api.post(accept, json={"specialist_id": offered.specialist_id})
    (assigned,) = events(await watch.until(first, TicketAssigned), TicketAssigned)
    (joined,) = events(await watch.until(second, CallbackJoined), CallbackJoined)
    assert joined.joined == first
    attempts = f"/v1/tickets/{first}/attempts"
    body = {"specialist_id": assigned.specialist_id, "outcome": "answered"}
    assert (await router_api.post(attempts, json=body)).json()["state"] == "kept"
    for ticket_id in (first, second):
        facts = await watch.until(ticket_id, CallbackSettled, ClockMet)
        assert [met.in_time for met in events(facts, ClockMet)] == [True]
    assert events(facts, TicketAssigned) == []


async def ticket_of(stack: Stack, http: httpx.AsyncClient, form: dict[str, Any]) -> UUID:
    """Send a request, and return its ticket."""
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=form)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["ticket_id"])
