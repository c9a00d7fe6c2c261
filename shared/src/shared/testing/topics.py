"""Topics of one test, with a prefix of their own on a broker that is shared."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Self

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from shared.platform import record_batches
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Topics"]

_WAIT_S_MAX: Final = 60
_ROOMY: Final = {"max.message.bytes": str(8 * 1024 * 1024)}  # some tests send large records


class Topics:
    """Creates, writes and reads topics; names are without the ``prefix``."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self._publisher = Publisher(bootstrap, service="test", topic_prefix=prefix)

    async def create(self, *names: str, partitions: int = 3, **settings: str) -> None:
        """Create topics, and wait until they exist. In the names of settings, _ means a dot."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics(
                [
                    NewTopic(
                        self.prefix + name,
                        partitions,
                        1,
                        topic_configs=_ROOMY | _dotted(settings),
                    )
                    for name in names
                ]
            )
            for topic, code, *_ in answer.topic_errors:
                if code:
                    raise for_code(code)(topic)
            while any(t["error_code"] for t in await admin.describe_topics(self._full(names))):
                pass
        finally:
            await admin.close()

    def _full(self, names: Iterable[str]) -> list[str]:
        return [self.prefix + name for name in names]

    async def delete(self, *names: str) -> None:
        """Delete topics."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(self._full(names))
        finally:
            await admin.close()

    async def set(self, name: str, **settings: str) -> None:
        """Replace a topic's settings; those not named return to the broker's defaults."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        topic = ConfigResource(ConfigResourceType.TOPIC, self.prefix + name, _dotted(settings))
        try:
            await admin.alter_configs([topic])
        finally:
            await admin.close()

    async def send(self, records: Iterable[Outgoing]) -> None:
        """Write records and wait until they are acknowledged."""
        await self._publisher.publish(records)

    async def read(self, name: str) -> list[ConsumerRecord]:
        """Read all current records of a topic, partition by partition."""
        async with _Reader(self.bootstrap, self.prefix + name) as reader:
            return await reader.read(await reader.held())

    async def wait_for(self, name: str, count: int) -> list[ConsumerRecord]:
        """Read the first ``count`` records of a topic, in order within each partition.

        Raises:
            TimeoutError: they do not arrive within a minute.
        """
        async with _Reader(self.bootstrap, self.prefix + name) as reader:
            return await reader.read(count)

    async def lag(self, group: str, *names: str) -> int:
        """Count the records of these topics that a group has not committed yet."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.prefix + group)
        finally:
            await admin.close()
        read: int = sum(max(0, place.offset) for place in found.values())
        held = 0
        for name in names:
            async with _Reader(self.bootstrap, self.prefix + name) as reader:
                held += await reader.held()
        return held - read

    async def close(self) -> None:
        """Delete the topics: a broker that holds thousands of partitions is slow to stop."""
        await self._publisher.stop()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            names = [name for name in await admin.list_topics() if name.startswith(self.prefix)]
            if names:
                await admin.delete_topics(names)
        finally:
            await admin.close()


def _dotted(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in settings.items()}


class _Reader:
    """Reads a topic from its beginning, outside of any group."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = record_batches.reader(bootstrap, topic)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def held(self) -> int:
        """Count the records of the topic; in a test none expire."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(
            list(self._consumer.assignment())
        )
        return sum(ends.values())

    async def read(self, count: int) -> list[ConsumerRecord]:
        """Read until ``count`` records have arrived."""
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(_WAIT_S_MAX):
            while len(records) < count:
                batches = await self._consumer.getmany(timeout_ms=1000)
                records += [record for batch in batches.values() for record in batch]
        return records
