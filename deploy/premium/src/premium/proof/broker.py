"""What Kafka says about itself: how far topics reach, and how far each service has read them."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import Transient

__all__ = ["Broker", "Offsets"]

type Offsets = dict[TopicPartition, int]

_REQUEST_MS: Final = 10_000


class Broker:
    """A broker that may be away for a while: what was open then is opened anew."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def close(self) -> None:
        """Close what is open."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        with suppress(KafkaError, OSError, TimeoutError):
            if consumer is not None:
                await consumer.stop()
            if admin is not None:
                await admin.close()

    async def ends(self, topics: Iterable[str]) -> Offsets:
        """Say where each partition ends. Raises Transient while the broker is away."""
        wanted = tuple(topics)

        async def ask() -> Offsets:
            consumer = await self._reader()
            partitions = [
                TopicPartition(topic, number)
                for topic in wanted
                for number in sorted(await self._partitions(consumer, topic))
            ]
            ends: Offsets = await consumer.end_offsets(partitions)
            return ends

        return await self._asked(ask)

    async def committed(self, group: str) -> Offsets:
        """Say how far a group has come, where it has; raises Transient as `ends` does."""

        async def ask() -> Offsets:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(
                    bootstrap_servers=self.bootstrap, request_timeout_ms=_REQUEST_MS
                )
                await self._admin.start()
            offsets = await self._admin.list_consumer_group_offsets(group)
            return {place: at.offset for place, at in offsets.items()}

        return await self._asked(ask)

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> set[int]:
        found: set[int] | None = consumer.partitions_for_topic(topic)
        if found is None:
            await consumer.topics()
            found = consumer.partitions_for_topic(topic)
        if found is None:
            raise Transient(f"Kafka has no topic {topic}; `premium up` makes it")
        return found

    async def _reader(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap,
                enable_auto_commit=False,
                request_timeout_ms=_REQUEST_MS,
            )
            await self._consumer.start()
        return self._consumer

    async def _asked[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except (KafkaError, OSError, TimeoutError) as e:
            await self.close()
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
