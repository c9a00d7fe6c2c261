"""A whole stack for the end-to-end tests: real servers, the four services as processes, mail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from devstack.stack import Stack
from lab.demo.script import ROSTER
from premium.accounts.publication import publish as publish_accounts
from premium.roster.files import read as read_roster
from premium.roster.publication import publish
from shared.basics.errors import Poison
from shared.events import Envelope, Event
from shared.events.codec import Record, read
from shared.testing.builders import an_account

WAIT_S_MAX: Final = 60
TOPICS: Final = ("tickets.v1", "assignments.v1", "clocks.v1", "breaches.v1", "notifications.v1")


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Run a whole stack in a folder, with the example roster and an account."""
    stack = Stack(folder)
    asyncio.run(stack.up())
    asyncio.run(publish(stack.profile, read_roster(ROSTER)))
    asyncio.run(publish_accounts(stack.profile, [an_account()]))
    yield stack
    asyncio.run(stack.down(wipe=True))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Share a stack with other tests: each brings its own tickets."""
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP, with the stack's key to intake."""
    headers = stack.addresses.headers("intake")
    async with httpx.AsyncClient(timeout=WAIT_S_MAX, headers=headers) as client:
        yield client


@pytest.fixture
async def desk(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to router, with the stack's key."""
    headers = stack.addresses.headers("router")
    place = stack.addresses.http("router")
    async with httpx.AsyncClient(timeout=WAIT_S_MAX, headers=headers, base_url=place) as client:
        yield client


@pytest.fixture
async def watch(stack: Stack) -> AsyncIterator["Watch"]:
    """Watch the topics of the shared stack."""
    async with watching(stack) as watch:
        yield watch


@asynccontextmanager
async def watching(stack: Stack) -> AsyncIterator["Watch"]:
    """Watch the topics of a stack from their beginning."""
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=stack.addresses.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    yield Watch(consumer)
    await consumer.stop()


@pytest.fixture
def mails(stack: Stack, http: httpx.AsyncClient) -> Callable[[UUID], Awaitable[list[Any]]]:
    """Read the mails about a ticket out of the sink."""

    async def about(ticket_id: UUID) -> list[Any]:
        answer = await http.get(f"{stack.addresses.mail_page}/mails.json")
        return [mail for mail in answer.json()["mails"] if ticket_id.hex in str(mail)]

    return about


class Watch:
    """Reads facts as they are published."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.facts: list[Envelope[Event]] = []

    async def until(self, ticket_id: UUID, *types: type[Event]) -> list[Envelope[Event]]:
        """Wait until these were published of a ticket, each as often as named; all come back.

        Raises TimeoutError, and says what did come, after WAIT_S_MAX.
        """

        def told() -> list[Envelope[Event]]:
            return [fact for fact in self.facts if fact.event.subject == str(ticket_id)]

        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while not Counter(types) <= Counter(type(fact.event) for fact in told()):
                    await self._more()
        except TimeoutError:
            raise TimeoutError(f"only {[fact.event.type for fact in told()]}") from None
        return told()

    async def _more(self) -> None:
        found = await self._consumer.getmany(timeout_ms=1000)
        for raw in (raw for records in found.values() for raw in records):
            record = Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value, raw.headers)
            try:
                fact = read(record)
            except Poison:
                continue
            if isinstance(fact, Envelope):
                self.facts.append(fact)
