"""What the peers share: the ground they stand on, the way out to Kafka, orders by standard input.

A line of orders is a batch to plant, or the word to work from now on; each is answered by a line.
The end of orders is the end of the process, so that none outlives the bench.
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

__all__ = ["DONE", "GROUND", "WORK", "Announcer", "Ground", "Peer", "serve"]

DONE: Final = "done"
WORK: Final = "work"
GROUND: Final = "DUE_GROUND"
_VALUE: Final = json.dumps({"due": "x" * 400}).encode()
"""About as long as what ours writes of a breach."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a peer stands, and where its records go."""

    bootstrap: str
    dsn: str
    topic: str


@dataclass(frozen=True, slots=True)
class Announcer:
    """The way out."""

    out: AIOKafkaProducer
    topic: str

    async def announce(self, key: str) -> None:
        """Publish, and return when the broker has it."""
        await self.out.send_and_wait(self.topic, _VALUE, key.encode())


class Peer(Protocol):
    """What a peer's process can do."""

    async def plant(self, batch: Batch) -> None:
        """Put clocks into its tables."""

    async def work(self) -> None:
        """Announce what falls due, until cancelled."""


async def serve(
    opened: Callable[[Ground, Announcer], AbstractAsyncContextManager[Peer]],
) -> None:
    """Follow orders to their end. A peer whose work breaks off ends the process."""
    ground = Ground(**json.loads(os.environ[GROUND]))
    out = AIOKafkaProducer(
        bootstrap_servers=ground.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=128 * 1024,
    )
    async with (
        out,
        opened(ground, Announcer(out, ground.topic)) as peer,
        asyncio.TaskGroup() as group,
    ):
        works: list[asyncio.Task[None]] = []
        _answer()
        async for order in _orders():
            if order == WORK:
                works.append(group.create_task(peer.work()))
            else:
                await peer.plant(Batch.ordered(order))
            _answer()
        for work in works:
            work.cancel()


async def _orders() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield line.decode().strip()


def _answer() -> None:
    sys.stdout.write(f"{DONE}\n")
    sys.stdout.flush()
