"""What the peers' processes share: configuration, the Kafka producer, commands on standard input.

A command is a line: a batch to insert, or ``work``, which starts the work. Each is answered by a
line. The process ends at the end of its input, so that none outlives the benchmark.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from aiokafka import AIOKafkaProducer

from lab.bench.due.batch import Batch

__all__ = ["CONFIG", "DONE", "WORK", "Announcer", "Peer", "Testbed", "serve"]

DONE: Final = "done"
WORK: Final = "work"
CONFIG: Final = "DUE_PEER_CONFIG"
_VALUE: Final = json.dumps({"due": "x" * 400}).encode()
"""About as long as our breach event."""


@dataclass(frozen=True, slots=True)
class Testbed:
    """A peer's servers, and the topic of its records."""

    bootstrap: str
    dsn: str
    topic: str


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes due clocks."""

    out: AIOKafkaProducer
    topic: str

    async def announce(self, key: str) -> None:
        """Publish, and return when the broker has acknowledged it."""
        await self.out.send_and_wait(self.topic, _VALUE, key.encode())


class Peer(Protocol):
    """The commands of a peer's process."""

    async def insert(self, batch: Batch) -> None:
        """Insert clocks into its tables."""

    async def work(self) -> None:
        """Announce due clocks, until cancelled."""


async def serve(
    opened: Callable[[Testbed, Announcer], AbstractAsyncContextManager[Peer]],
) -> None:
    """Execute commands until the end of input; if the work fails, the process ends."""
    testbed = Testbed(**json.loads(os.environ[CONFIG]))
    out = AIOKafkaProducer(
        bootstrap_servers=testbed.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=128 * 1024,
    )
    async with (
        out,
        opened(testbed, Announcer(out, testbed.topic)) as peer,
        asyncio.TaskGroup() as group,
    ):
        works: list[asyncio.Task[None]] = []
        _answer()
        async for command in _commands():
            if command == WORK:
                works.append(group.create_task(peer.work()))
            else:
                await peer.insert(Batch.from_line(command))
            _answer()
        for work in works:
            work.cancel()


async def _commands() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield line.decode().strip()


def _answer() -> None:
    sys.stdout.write(f"{DONE}\n")
    sys.stdout.flush()
