"""The partitions assigned to a consumer: the offset to start from, and which ones are missing.

The consumer starts after the last record that its database has handled, not at Kafka's committed
offset. It reads that last record once more to compare it: if it differs or is gone, the topic was
created again, and the consumer reads the partition from its beginning. Records that were handled
before are recognised by their id and change nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, override

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from shared.platform import offsets, telemetry
from shared.platform.offsets import Offset
from shared.platform.postgres import Database

__all__ = ["Assignment"]

_LOG = structlog.get_logger()
_BEGINNING: Final = 0
"""If retention has removed offset 0, aiokafka continues with the earliest record."""
_UNASSIGNED: Final = "not assigned any partitions yet"
_MEMBERS: Final = 5
"""The index of the members, after error, group, state, type and protocol. The last field of a
member is its assignment."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Tracks the rebalances of one consumer in its group."""

    def __init__(self, bootstrap: str, group: str, db: Database) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._db = db
        self._rebalances = 0
        self._placed_at: int | None = None
        self._is_assigned = False
        self._expected: dict[TopicPartition, Offset] = {}
        self._seen: dict[TopicPartition, int] = {}
        self._confirmed: dict[TopicPartition, int] = {}

    @override
    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Note that a rebalance has begun: records that arrive until it ends are not handled."""
        self._is_assigned = False

    @override
    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Note that a rebalance has ended: seek each partition before handling its records."""
        self._rebalances += 1
        self._is_assigned = True

    @property
    def is_placed(self) -> bool:
        """Whether every assigned partition is at the offset that the database names."""
        return self._is_assigned and self._placed_at == self._rebalances

    def take_confirmed(self) -> dict[TopicPartition, int]:
        """Return, once, the offset to commit for each partition whose last record was found.

        A consumer that was killed may have saved offsets that it did not commit to Kafka.
        """
        confirmed, self._confirmed = self._confirmed, {}
        return confirmed

    async def accepted(
        self,
        consumer: AIOKafkaConsumer,
        found: Mapping[TopicPartition, Sequence[ConsumerRecord]],
    ) -> list[ConsumerRecord]:
        """Return the records to handle: none until every partition is at its saved offset."""
        if not self._is_assigned:
            return []
        if self._placed_at != self._rebalances:
            await self._place(consumer)
            return []
        return [
            raw for place, records in found.items() for raw in self._new(consumer, place, records)
        ]

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        """Seek each partition's last handled record, or its beginning. Raises Transient."""
        rebalances = self._rebalances
        held = consumer.assignment()
        async with self._db.transaction() as tx:
            known = await offsets.load(tx, self._group)
        ends = await consumer.end_offsets(held) if held else {}
        if not self._is_assigned or self._rebalances != rebalances:
            return
        self._expected.clear()
        self._seen.clear()
        self._confirmed.clear()
        for place in held:
            last = known.get(place)
            if last is None:
                consumer.seek(place, _BEGINNING)
            elif last.record < ends[place]:
                self._expected[place] = last
                consumer.seek(place, last.record)
            else:
                self._begin_again(consumer, place, f"ends at {ends[place]}", last.record)
        self._placed_at = rebalances

    def _new(
        self,
        consumer: AIOKafkaConsumer,
        place: TopicPartition,
        records: Sequence[ConsumerRecord],
    ) -> Sequence[ConsumerRecord]:
        first = records[0]
        last = self._expected.pop(place, None)
        if last is not None and Offset.of(first) != last:
            found = "it is another record" if first.offset == last.record else "it is gone"
            return self._begin_again(consumer, place, found, last.record)
        if last is None and first.offset <= self._seen.get(place, _BEGINNING - 1):
            _report(place, "the topic begins again", self._seen[place])
        self._seen[place] = records[-1].offset
        if last is None:
            return records
        self._confirmed[place] = last.record + 1
        return records[1:]

    def _begin_again(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, why: str, record: int
    ) -> Sequence[ConsumerRecord]:
        _report(place, why, record)
        consumer.seek(place, _BEGINNING)
        return ()

    async def fault(self, consumer: AIOKafkaConsumer | None, topics: Collection[str]) -> str | None:
        """Describe the partitions that no consumer of the group reads; None if there are none."""
        if consumer is None or not self._rebalances:
            return _UNASSIGNED
        wanted: set[TopicPartition] = set()
        for topic in sorted(topics):
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                return f"Kafka has no topic {topic}; create it"
            wanted |= {TopicPartition(topic, number) for number in numbers}
        if not self._is_assigned:
            return _UNASSIGNED
        missing = wanted - consumer.assignment()
        if missing:
            missing -= await self._held_by_the_group()
        names = ", ".join(f"{place.topic}/{place.partition}" for place in sorted(missing))
        return f"no consumer holds {names}" if missing else None

    async def _held_by_the_group(self) -> set[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([self._group])
        finally:
            await admin.close()
        (group,) = answer.groups
        return {
            place
            for member in group[_MEMBERS]
            if member[-1]
            for place in ConsumerProtocol.ASSIGNMENT.decode(member[-1]).partitions()
        }


def _report(place: TopicPartition, why: str, record: int) -> None:
    telemetry.READ_AGAIN.labels(place.topic).inc()
    _LOG.error(
        "partition_read_from_its_beginning",
        topic=place.topic,
        partition=place.partition,
        reason=f"the last record handled was {record}, but {why}",
    )
