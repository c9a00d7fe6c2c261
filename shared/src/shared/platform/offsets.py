"""The offsets of a consumer, stored in the transaction that handles the records.

The stored offset is that of the last record handled, not of the next one: control records and
compacted records may lie between the two. The record's digest distinguishes the topic from a later
one with the same name.
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
"""Part of the statement that claims events, which saves a round trip."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The last handled record of a partition: its offset and its digest."""

    record: int
    digest: bytes

    @classmethod
    def of(cls, raw: ConsumerRecord) -> "Offset":
        """Return the offset of a record. The digest covers its headers, and so its ``ce_id``."""
        digest = blake2b(raw.value or b"", digest_size=_DIGEST_BYTES)
        digest.update(repr((raw.value is None, raw.timestamp, raw.key, raw.headers)).encode())
        return cls(raw.offset, digest.digest())


def last_of(records: Iterable[ConsumerRecord]) -> dict[TopicPartition, Offset]:
    """Return the offset of the last record of each partition."""
    last = {TopicPartition(raw.topic, raw.partition): raw for raw in records}
    return {place: Offset.of(raw) for place, raw in last.items()}


async def load(tx: Tx, group: str) -> dict[TopicPartition, Offset]:
    """Read the stored offsets of a consumer group."""
    return {
        TopicPartition(row["topic"], row["partition"]): Offset(
            row["record_offset"], row["record_digest"]
        )
        for row in await tx.fetch(LOAD, group)
    }


class Progress(NamedTuple):
    """The offsets of a consumer as columns, the parameters of `SAVE`."""

    group: str = ""
    topics: Sequence[str] = ()
    partitions: Sequence[int] = ()
    records: Sequence[int] = ()
    digests: Sequence[bytes] = ()

    @classmethod
    def of(cls, group: str, offsets: Mapping[TopicPartition, Offset]) -> "Progress":
        """Make the columns, sorted so that two members of the group never deadlock."""
        places = sorted(offsets)
        return cls(
            group,
            [place.topic for place in places],
            [place.partition for place in places],
            [offsets[place].record for place in places],
            [offsets[place].digest for place in places],
        )
