"""Router as it runs: processes, Kafka, HTTP. They are killed and made anew while it storms."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from httpx import AsyncClient, HTTPError
from tests.chaos.invariants import PublishedFact
from tests.integration.router.process_factory import LOG
from tests.integration.router.storm import STORM, Books, End, Post, a_moment, play

from devstack.ports import free_port
from router.handlers import CONSUMES, EMITS
from shared.events import Envelope, Event
from shared.events.codec import headers_of, value_of
from shared.platform.publisher import Outgoing
from shared.testing.topics import Topics

__all__ = ["GROUP", "TOPICS", "Living", "Nursery", "living", "nursery", "outgoing"]

TOPICS: Final = (*CONSUMES, *EMITS, "router.dead-letters.v1")
GROUP: Final = "router"
_END_S_MAX: Final = 30
_ANSWER_S_MAX: Final = 300
TAKEN: Final = "SELECT count(*) FROM processed_event WHERE event_id = '{}'"
UNSENT: Final = "SELECT count(*) FROM outbox"


async def _nothing(_: Envelope[Event]) -> None:
    pass


class Nursery:
    """Makes routers."""

    def __init__(self, process: subprocess.Popen[str], logs: Path) -> None:
        self._process = process
        self.logs = logs

    def make(self, environment: dict[str, str]) -> int:
        """Let one begin; the process's id comes back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(environment) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery(logs: Path) -> Iterator[Nursery]:
    """Have everything loaded once."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.router.process_factory"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        yield Nursery(process, logs)


@dataclass
class Living:
    """Routers of one name after another, or several, at one database and on the same topics."""

    nursery: Nursery
    dsns: Sequence[str]
    topics: Topics
    books: Books
    client: AsyncClient
    ports: list[int] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    """Those that are not asked, for they would not answer."""
    before_take: Callable[[Envelope[Event]], Awaitable[None]] = _nothing
    at_all: bool = False
    """Whether each act is asked of all at once."""

    async def begin(self, routers: int) -> None:
        """Start so many, and wait until they are ready."""
        for number in range(routers):
            self.ports.append(free_port())
            self.pids.append(self._make(number))
        for number in range(routers):
            await self.until_ready(number)

    def signal(self, by: signal.Signals, number: int = 0) -> None:
        """Send one a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pids[number], by)

    async def again(self, number: int = 0) -> None:
        """Wait for one's end, and start it anew."""
        await self.ended(number)
        self.pids[number] = self._make(number)

    async def ended(self, number: int = 0) -> None:
        """Wait for one's end."""
        with suppress(psutil.NoSuchProcess):
            await asyncio.to_thread(psutil.Process(self.pids[number]).wait, _END_S_MAX)

    async def end(self) -> None:
        """Kill all."""
        for number in range(len(self.pids)):
            self.signal(signal.SIGKILL, number)
        for number in range(len(self.pids)):
            await self.ended(number)

    async def until_ready(self, number: int = 0) -> None:
        """Wait until one answers that it can do all it is there for."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while True:
                with suppress(HTTPError):
                    answer = await self.client.get(f"http://127.0.0.1:{self.ports[number]}/ready")
                    if answer.status_code == 200:
                        return
                await a_moment()

    async def take(self, envelope: Envelope[Event]) -> None:
        """Publish a fact, and wait until it was taken in."""
        await self.before_take(envelope)
        await self.topics.send([outgoing(envelope)])
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.books.read(TAKEN.format(envelope.id)) == [(0,)]:
                await a_moment()

    async def post(self, post: Post) -> tuple[int, str]:
        """Ask the first that is not stopped, or all at once: they are of one mind."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while True:
                asked = [p for n, p in enumerate(self.ports) if n not in self.stopped]
                some = asked if self.at_all else asked[:1]
                answers = await asyncio.gather(*(self._ask(port, post) for port in some))
                given = [answer for answer in answers if answer is not None]
                if len(given) == len(some):
                    assert len(set(given)) == 1
                    return given[0]
                await a_moment()

    async def pass_time(self) -> None:
        """Wait until nothing is due."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while not await self.books.is_quiet():
                await a_moment()

    async def play(self) -> End:
        """Play the storm to its end; all it came to is published."""
        answers = await play(STORM, self, self.books)
        return await self.books.end(await self.facts(), answers)

    async def until_read(self) -> None:
        """Wait until the offsets of all records are committed."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.topics.lag(GROUP, *CONSUMES):
                await a_moment()

    async def facts(self) -> Sequence[PublishedFact]:
        """Read all that was published, once it is."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.books.read(UNSENT) != [(0,)]:
                await a_moment()
        records = [record for topic in EMITS for record in await self.topics.read(topic)]
        return [
            PublishedFact.read(
                record.key.decode(),
                [(name, value.decode()) for name, value in record.headers],
                record.value.decode(),
            )
            for record in records
        ]

    async def _ask(self, port: int, post: Post) -> tuple[int, str] | None:
        """Ask once; None when there is no answer, or it is "later"."""
        address = f"http://127.0.0.1:{port}/v1{post.path}"
        try:
            answer = await self.client.post(
                address, json=post.body, headers=self.books.headers(post)
            )
        except HTTPError:
            return None
        return None if answer.status_code == 503 else (answer.status_code, answer.text)

    def _make(self, number: int) -> int:
        return self.nursery.make(
            {
                "ROUTER_DSN": self.dsns[number % len(self.dsns)],
                "ROUTER_KAFKA_BOOTSTRAP": self.topics.bootstrap,
                "ROUTER_TOPIC_PREFIX": self.topics.prefix,
                "ROUTER_HTTP_PORT": str(self.ports[number]),
                "ROUTER_INSTANCE_ID": f"test-{number}",
                LOG: str(self.nursery.logs / f"{self.topics.prefix}{number}.log"),
            }
        )


def outgoing(envelope: Envelope[Event]) -> Outgoing:
    """Write a fact as upstream does."""
    event = envelope.event
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


@asynccontextmanager
async def living(
    nursery: Nursery, dsns: Sequence[str], topics: Topics, books: Books
) -> AsyncIterator[Living]:
    """Run a router for each address of the database."""
    await topics.create(*TOPICS, partitions=2)
    async with AsyncClient(verify=False) as client:  # noqa: S501 - it speaks to this machine only
        made = Living(nursery, dsns, topics, books, client)
        try:
            await made.begin(len(dsns))
            yield made
        finally:
            await made.end()
