"""How far a consumer has come, kept in the transaction that handles the records.

The offset kept is that of the last record handled, not of the next one: between them may stand
control records of transactions, and records that compaction removed. The digest of that record
tells the topic from another of the same name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from shared.platform.postgres import Tx

__all__ = ["SAVE", "Offset", "Progress", "last_of", "load"]

_DIGEST_BYTES: Final = 16

LOAD: Final = """
    SELECT topic, partition, record_offset, record_digest
    FROM consumer_offset WHERE consumer_group = $1
"""
SAVE: Final = """
    INSERT INTO consumer_offset (consumer_group, topic, partition, record_offset, record_digest)
    SELECT $2, * FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bytea[])
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE
    SET record_offset = excluded.record_offset, record_digest = excluded.record_digest
"""
"""Goes into the statement that claims events: its own round trip would cost as much."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The last record that was handled of a partition."""

    record: int
    digest: bytes

    @classmethod
    def of(cls, raw: ConsumerRecord) -> "Offset":
        """Describe a record; its headers, and so its ``ce_id``, are part of the digest."""
        digest = blake2b(raw.value or b"", digest_size=_DIGEST_BYTES)
        digest.update(repr((raw.value is None, raw.timestamp, raw.key, raw.headers)).encode())
        return cls(raw.offset, digest.digest())


def last_of(records: Iterable[ConsumerRecord]) -> dict[TopicPartition, Offset]:
    """Describe the last record of each partition."""
    last = {TopicPartition(raw.topic, raw.partition): raw for raw in records}
    return {place: Offset.of(raw) for place, raw in last.items()}


async def load(tx: Tx, group: str) -> dict[TopicPartition, Offset]:
    """Read how far a consumer has come."""
    return {
        TopicPartition(row["topic"], row["partition"]): Offset(
            row["record_offset"], row["record_digest"]
        )
        for row in await tx.fetch(LOAD, group)
    }


class Progress(NamedTuple):
    """How far a consumer has come, as `SAVE` takes it."""

    group: str = ""
    topics: Sequence[str] = ()
    partitions: Sequence[int] = ()
    records: Sequence[int] = ()
    digests: Sequence[bytes] = ()

    @classmethod
    def of(cls, group: str, offsets: Mapping[TopicPartition, Offset]) -> "Progress":
        """Put rows in order, so that two members of the group never deadlock."""
        places = sorted(offsets)
        return cls(
            group,
            [place.topic for place in places],
            [place.partition for place in places],
            [offsets[place].record for place in places],
            [offsets[place].digest for place in places],
        )
