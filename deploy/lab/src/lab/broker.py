"""What Kafka says about itself: how far topics reach, and how far each service has read them."""

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


class Broker:
    """A broker that may be away for a while: what was open then is opened anew."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._partitions: dict[str, int] = {}

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
            places = await self._places(wanted)
            if self._consumer is None:
                self._consumer = reader(self.bootstrap, request_timeout_ms=_REQUEST_MS)
                await self._consumer.start()
            ends: Offsets = await self._consumer.end_offsets(places)
            return ends

        return await self._asked(ask)

    async def committed(self, group: str) -> Offsets:
        """Say how far a group has come, where it has; raises Transient as `ends` does."""

        async def ask() -> Offsets:
            offsets = await (await self._opened_admin()).list_consumer_group_offsets(group)
            return {place: at.offset for place, at in offsets.items()}

        return await self._asked(ask)

    async def _places(self, topics: tuple[str, ...]) -> list[TopicPartition]:
        """List the partitions of topics; their number never changes, so Kafka is asked once."""
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

    async def _asked[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except (KafkaError, OSError, TimeoutError) as e:
            await self.close()
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
