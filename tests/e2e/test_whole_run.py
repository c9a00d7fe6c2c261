"""What was sent in confidence stays where it belongs, whatever happens to it."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from devstack.stack import Stack
from premium.accounts.publication import publish as publish_accounts
from premium.records import consumed, produced, to_the_end
from shared.events import Event, NotificationSent, TicketAccepted
from shared.platform import dead_letters, postgres
from shared.platform.postgres import Database
from shared.testing.builders import an_account

SERVICES: Final = ("intake", "router", "sla-monitor", "notifier")
PERSON: Final = "canary-person-6b1f"
SUBJECT: Final = "canary-subject-6b1f"
BODY: Final = "canary-body-6b1f"
WORD: Final = "canary-key-6b1f"
NUMBER: Final = "301234567"
PRIVATE: Final = (PERSON, SUBJECT, BODY, WORD, NUMBER)
FORGED: Final = "pk_canary06_" + "A" * 43
AS_UPSTREAM_SENT_IT: Final = "inbound.v1"
"""Kept for a day (docs/erasure.md)."""


class Watch(Protocol):
    """The fixture: reads facts as they are published."""

    async def until(self, ticket_id: UUID, *types: type[Event]) -> object:
        """Wait until these were published of a ticket."""


def written(at: str, **changes: object) -> dict[str, Any]:
    """Write a request that is all confidence."""
    return {
        "source": "app-form",
        "external_id": str(uuid4()),
        "account_id": "canaries",
        "requester_id": PERSON,
        "channel": "email",
        "language": "en",
        "subject": SUBJECT,
        "body": BODY,
        "phone_number": f"+49{NUMBER}",
        "occurred_at": at,
        **changes,
    }


@pytest.fixture
async def sent(stack: Stack, http: httpx.AsyncClient, watch: Watch) -> list[str]:
    """Send by every door what is good and what is faulty, and see the mail go out.

    The secrets of the whole run come back.
    """
    await publish_accounts(
        stack.profile, [an_account(account_id="canaries", super_admins=[], seats="everyone")]
    )
    at = await noon(stack)
    place = stack.addresses.http("intake")
    key = {"idempotency-key": WORD}
    good = await http.post(f"{place}/v1/tickets", json=written(at), headers=key)
    assert good.status_code == 202, good.text
    faulty = [
        await http.post(f"{place}/v1/tickets", json=written(at, channel=BODY), headers=key),
        await http.post(f"{place}/v1/tickets", content=BODY.encode()),
        await http.post(f"{place}/v1/webhooks/signed/{PERSON}", json=written(at)),
        await http.get(f"{place}/v1/subjects/{PERSON}"),
        await http.post(
            f"{place}/v1/tickets", json=written(at), headers={"authorization": f"Bearer {FORGED}"}
        ),
    ]
    assert {answer.status_code // 100 for answer in faulty} == {4}
    await by_kafka(stack, [BODY], written(at), written(at, channel=BODY))
    await watch.until(UUID(good.json()["ticket_id"]), TicketAccepted, NotificationSent)
    return [FORGED, *secrets(stack)]


async def noon(stack: Stack) -> str:
    """Ask the stack what time it is."""
    async with connected(stack) as db, db.session() as session:
        return (await postgres.now(session)).isoformat()


@asynccontextmanager
async def connected(stack: Stack) -> AsyncIterator[Database]:
    """Connect to intake's database."""
    db = Database(stack.addresses.dsn("intake"), service="test")
    await db.start()
    try:
        yield db
    finally:
        await db.stop()


async def by_kafka(stack: Stack, *contents: Any) -> None:  # noqa: ANN401 - JSON is any
    """Send to `inbound.v1` what nobody can be told of, and documents; see what became of each."""
    bootstrap = stack.addresses.kafka_bootstrap
    for content in contents:
        await produced(bootstrap, "inbound.v1", PERSON.encode(), json.dumps(content).encode())
    (unknown, *told) = contents
    for content in told:
        name = f"{content['source']}/{content['external_id']}"
        assert await consumed(bootstrap, "receipts.v1", name.encode())
    assert json.dumps(unknown).encode() in await parked(stack)


async def parked(stack: Stack) -> list[bytes | None]:
    """Read what intake's dead letters hold."""
    async with connected(stack) as db, db.session() as session:
        return [letter.value for letter in await dead_letters.all_parked(session)]


def secrets(stack: Stack) -> list[str]:
    """Gather what nobody but its holder may see."""
    kept = json.loads((stack.folder / "stack.json").read_text())
    files = (stack.folder / "webhook-secrets").glob("*")
    return [
        *kept["keys"].values(),
        *kept["passwords"].values(),
        *(f.read_text().strip() for f in files),
    ]


async def topics(bootstrap: str) -> set[str]:
    """List all topics that are ours."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {topic for topic in await admin.list_topics() if not topic.startswith("__")}
    finally:
        await admin.close()


async def records(bootstrap: str, names: Iterable[str]) -> bytes:
    """Read all that stands on topics: keys, values and headers."""
    consumer = AIOKafkaConsumer(
        *names,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    parts: list[bytes] = []
    await consumer.start()
    try:
        async for found in to_the_end(consumer):
            for record in found:
                texts = (text for _, text in record.headers)
                parts += [record.key or b"", record.value or b"", *texts]
    finally:
        await consumer.stop()
    return b"\n".join(parts)


def found_in(text: bytes, sought: Iterable[str]) -> set[str]:
    """Find which of some words stand in a text."""
    return {word for word in sought if word.encode() in text}


def logs(folder: Path) -> bytes:
    """Read what all services have logged in this run."""
    return b"\n".join((folder / "logs" / f"{service}.log").read_bytes() for service in SERVICES)


async def test_nothing_private_and_no_secret_leaks(
    stack: Stack, http: httpx.AsyncClient, sent: list[str]
) -> None:
    """Not in logs, figures, mails, nor Kafka and the trace headers there; all of the run.

    The search finds them where they belong, so it would find them elsewhere.
    """
    bootstrap = stack.addresses.kafka_bootstrap
    sought = [*PRIVATE, *sent]
    figures = [await http.get(f"{stack.addresses.http(s)}/metrics") for s in SERVICES]
    public = await topics(bootstrap) - {AS_UPSTREAM_SENT_IT}
    assert {"tickets.v1", "receipts.v1", "intake.dead-letters.v1"} <= public
    assert found_in(logs(stack.folder), sought) == set()
    assert found_in(b"\n".join(figure.content for figure in figures), sought) == set()
    assert found_in(await records(bootstrap, public), sought) == set()
    assert (
        found_in((await http.get(f"{stack.addresses.mail_page}/mails.json")).content, sought)
        == set()
    )
    upstream = await records(bootstrap, [AS_UPSTREAM_SENT_IT])
    assert found_in(upstream, sought) == {PERSON, SUBJECT, BODY, NUMBER}
    assert b"service_ready" in logs(stack.folder)
    assert b"premium_" in figures[0].content
