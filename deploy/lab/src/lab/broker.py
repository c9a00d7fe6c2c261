"""Kafka's offsets: the ends of topics, and how far each service has read them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.basics.errors import Transient
from shared.platform.record_batches import reader

__all__ = ["Broker", "Offsets"]

type Offsets = dict[TopicPartition, int]

_REQUEST_MS: Final = 10_000
_CALL_S_MAX: Final = 30
_CLOSE_S_MAX: Final = 2


class Broker:
    """A client that reconnects after the broker was unreachable."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._partitions: dict[str, int] = {}

    async def close(self) -> None:
        """Close all connections; do not wait for an answer of a broker that was killed."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        if consumer is not None:
            await _bounded(consumer.stop())
        if admin is not None:
            await _bounded(admin.close())

    async def ends(self, topics: Iterable[str]) -> Offsets:
        """Return the end offset of each partition. Raises Transient without a broker."""
        wanted = tuple(topics)

        async def read() -> Offsets:
            places = await self._places(wanted)
            if self._consumer is None:
                self._consumer = reader(self.bootstrap, request_timeout_ms=_REQUEST_MS)
                await self._consumer.start()
            ends: Offsets = await self._consumer.end_offsets(places)
            return ends

        return await self._call(read)

    async def committed(self, group: str) -> Offsets:
        """Return a group's committed offsets. Raises Transient without a broker."""

        async def read() -> Offsets:
            offsets = await (await self._opened_admin()).list_consumer_group_offsets(group)
            return {place: at.offset for place, at in offsets.items()}

        return await self._call(read)

    async def _places(self, topics: tuple[str, ...]) -> list[TopicPartition]:
        """List the partitions of topics; their number never changes, so it is cached."""
        if not set(topics) <= self._partitions.keys():
            admin = await self._opened_admin()
            for topic in await admin.describe_topics(list(topics)):
                if not topic["partitions"]:
                    raise Transient(
                        f"Kafka has no topic {topic['topic']}:"
                        f" see that {self.bootstrap} are the right brokers"
                    )
                self._partitions[topic["topic"]] = len(topic["partitions"])
        return [
            TopicPartition(topic, n) for topic in topics for n in range(self._partitions[topic])
        ]

    async def _opened_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(
                bootstrap_servers=self.bootstrap, request_timeout_ms=_REQUEST_MS
            )
            await self._admin.start()
        return self._admin

    async def _call[T](self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(_CALL_S_MAX):
                return await work()
        except (KafkaError, OSError, TimeoutError) as e:
            await self.close()
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e


async def _bounded(close: Awaitable[None]) -> None:
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_S_MAX):
            await close
