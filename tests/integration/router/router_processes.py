"""Router as processes with Kafka and HTTP, which tests kill and restart during the scenario."""

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
from tests.integration.router.scenario import (
    SCENARIO,
    CommandRequest,
    Observer,
    RunResult,
    run_scenario,
    short_pause,
)

from devstack.ports import free_port
from router.handlers import CONSUMES, EMITS
from shared.events import Envelope, Event
from shared.events.codec import headers_of, value_of
from shared.platform.publisher import Outgoing
from shared.testing.topics import Topics

__all__ = [
    "GROUP",
    "TOPICS",
    "ProcessFactory",
    "RouterProcesses",
    "outgoing",
    "router_processes",
    "start_process_factory",
]

TOPICS: Final = (*CONSUMES, *EMITS, "router.dead-letters.v1")
GROUP: Final = "router"
_END_S_MAX: Final = 30
_ANSWER_S_MAX: Final = 300
PROCESSED: Final = "SELECT count(*) FROM processed_event WHERE event_id = '{}'"
UNSENT: Final = "SELECT count(*) FROM outbox"


async def _nothing(_: Envelope[Event]) -> None:
    pass


class ProcessFactory:
    """Starts router processes."""

    def __init__(self, process: subprocess.Popen[str], logs: Path) -> None:
        self._process = process
        self.logs = logs

    def make(self, environment: dict[str, str]) -> int:
        """Start a process; return its id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(environment) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def start_process_factory(logs: Path) -> Iterator[ProcessFactory]:
    """Start a process factory."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.router.process_factory"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        yield ProcessFactory(process, logs)


@dataclass
class RouterProcesses:
    """One or more routers on one database and the same topics."""

    start_process_factory: ProcessFactory
    dsns: Sequence[str]
    topics: Topics
    observer: Observer
    client: AsyncClient
    ports: list[int] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    """Numbers of the suspended processes, to which no command is sent."""
    before_apply: Callable[[Envelope[Event]], Awaitable[None]] = _nothing
    ask_all: bool = False
    """Send each command to all routers at once."""

    async def start(self, routers: int) -> None:
        """Start this number of routers and wait until they are ready."""
        for number in range(routers):
            self.ports.append(free_port())
            self.pids.append(self._make(number))
        for number in range(routers):
            await self.until_ready(number)

    def signal(self, by: signal.Signals, number: int = 0) -> None:
        """Send a signal to a router."""
        with suppress(ProcessLookupError):
            os.kill(self.pids[number], by)

    async def restart(self, number: int = 0) -> None:
        """Wait until a router has ended, and restart it."""
        await self.wait_ended(number)
        self.pids[number] = self._make(number)

    async def wait_ended(self, number: int = 0) -> None:
        """Wait until a router has ended."""
        with suppress(psutil.NoSuchProcess):
            await asyncio.to_thread(psutil.Process(self.pids[number]).wait, _END_S_MAX)

    async def kill_all(self) -> None:
        """Kill all routers."""
        for number in range(len(self.pids)):
            self.signal(signal.SIGKILL, number)
        for number in range(len(self.pids)):
            await self.wait_ended(number)

    async def until_ready(self, number: int = 0) -> None:
        """Wait until a router reports that it is ready."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while True:
                with suppress(HTTPError):
                    response = await self.client.get(f"http://127.0.0.1:{self.ports[number]}/ready")
                    if response.status_code == 200:
                        return
                await short_pause()

    async def apply(self, envelope: Envelope[Event]) -> None:
        """Publish an event and wait until it is processed."""
        await self.before_apply(envelope)
        await self.topics.send([outgoing(envelope)])
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.observer.read(PROCESSED.format(envelope.id)) == [(0,)]:
                await short_pause()

    async def post(self, post: CommandRequest) -> tuple[int, str]:
        """Send a command to the first running router, or to all; their responses are equal."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while True:
                running = [p for n, p in enumerate(self.ports) if n not in self.stopped]
                some = running if self.ask_all else running[:1]
                received = await asyncio.gather(*(self._send(port, post) for port in some))
                responses = [response for response in received if response is not None]
                if len(responses) == len(some):
                    assert len(set(responses)) == 1
                    return responses[0]
                await short_pause()

    async def pass_time(self) -> None:
        """Wait until no timer is due."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while not await self.observer.nothing_is_due():
                await short_pause()

    async def run(self) -> RunResult:
        """Run the scenario and return its result, once all events are published."""
        responses = await run_scenario(SCENARIO, self, self.observer)
        return await self.observer.end(await self.facts(), responses)

    async def until_read(self) -> None:
        """Wait until the offsets of all records are committed."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.topics.lag(GROUP, *CONSUMES):
                await short_pause()

    async def facts(self) -> Sequence[PublishedFact]:
        """Return all published events, once the outbox is empty."""
        async with asyncio.timeout(_ANSWER_S_MAX):
            while await self.observer.read(UNSENT) != [(0,)]:
                await short_pause()
        records = [record for topic in EMITS for record in await self.topics.read(topic)]
        return [
            PublishedFact.read(
                record.key.decode(),
                [(name, value.decode()) for name, value in record.headers],
                record.value.decode(),
            )
            for record in records
        ]

    async def _send(self, port: int, post: CommandRequest) -> tuple[int, str] | None:
        """Send once; return None if there is no final response."""
        address = f"http://127.0.0.1:{port}/v1{post.path}"
        try:
            response = await self.client.post(
                address, json=post.body, headers=self.observer.headers(post)
            )
        except HTTPError:
            return None
        return None if response.status_code == 503 else (response.status_code, response.text)

    def _make(self, number: int) -> int:
        return self.start_process_factory.make(
            {
                "ROUTER_DSN": self.dsns[number % len(self.dsns)],
                "ROUTER_KAFKA_BOOTSTRAP": self.topics.bootstrap,
                "ROUTER_TOPIC_PREFIX": self.topics.prefix,
                "ROUTER_HTTP_PORT": str(self.ports[number]),
                "ROUTER_INSTANCE_ID": f"test-{number}",
                LOG: str(self.start_process_factory.logs / f"{self.topics.prefix}{number}.log"),
            }
        )


def outgoing(envelope: Envelope[Event]) -> Outgoing:
    """Build the record that an upstream service publishes."""
    event = envelope.event
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


@asynccontextmanager
async def router_processes(
    start_process_factory: ProcessFactory, dsns: Sequence[str], topics: Topics, observer: Observer
) -> AsyncIterator[RouterProcesses]:
    """Run one router for each address of the database."""
    await topics.create(*TOPICS, partitions=2)
    async with AsyncClient(verify=False) as client:  # noqa: S501 - it speaks to this machine only
        made = RouterProcesses(start_process_factory, dsns, topics, observer, client)
        try:
            await made.start(len(dsns))
            yield made
        finally:
            await made.kill_all()
