"""Header names that are not UTF-8 do not stop a consumer."""

import asyncio
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Final, override
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from tests.integration.shared.test_consumer import DEAD_LETTERS, MakeDatabase, Seen, consuming, good

from shared.events import Envelope, Event
from shared.platform.postgres import Tx
from shared.platform.record_batches import tolerate_bad_batches
from shared.testing.topics import Topics

PARTITIONS: Final = 3
EACH: Final = 20
_NAME: Final = "spoiled"
_CRC_AT, _CRC_FROM = 17, 21  # https://kafka.apache.org/documentation/#recordbatch


class Counted(Seen):
    """Collects records, and signals when it has enough of them."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.enough = asyncio.Event()
        self._enough = enough

    @override
    async def __call__(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        await super().__call__(tx, envelopes, now)
        if len(self.tickets) >= self._enough:
            self.enough.set()


async def send(
    topics: Topics,
    partition: int,
    ids: Sequence[UUID],
    bad: Sequence[int],
    compression: str | None = None,
) -> None:
    """Write one batch of facts, some with a header whose name is not UTF-8.

    aiokafka's producer cannot write such names, so the batch is changed after it was built.
    """
    producer = AIOKafkaProducer(bootstrap_servers=topics.bootstrap, compression_type=compression)
    await producer.start()
    try:
        batch = producer.create_batch()
        for at, ticket_id in enumerate(ids):
            fact = good(ticket_id)
            headers = [*fact.headers, (_NAME, b"")] if at in bad else fact.headers
            assert batch.append(key=fact.key, value=fact.value, timestamp=None, headers=headers)
        batch.close()
        written = bytearray(batch._build().replace(_NAME.encode(), b"\xff" * len(_NAME)))
        struct.pack_into(">I", written, _CRC_AT, calc_crc32c(written[_CRC_FROM:]))
        batch._buffer = written
        topic = topics.prefix + "tickets.v1"
        await (await producer.send_batch(batch, topic, partition=partition))
    finally:
        await producer.stop()


@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_a_record_with_a_bad_header_name_is_handled(
    topics: Topics, database: MakeDatabase, compression: str | None
) -> None:
    """First, in the middle and last in a batch: all records are handled once, in order."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=PARTITIONS)
    ids = [[uuid4() for _ in range(EACH)] for _ in range(PARTITIONS)]
    seen = Counted(PARTITIONS * EACH)
    async with consuming(topics, await database("intake"), seen):
        for partition, bad in enumerate([(0, EACH - 1), (4, 5, 15), ()]):
            await send(topics, partition, ids[partition], bad, compression)
        await asyncio.wait_for(seen.enough.wait(), 60)
    assert not await topics.read(DEAD_LETTERS)
    for held in ids:
        assert [i for i in seen.tickets if i in held] == held


async def test_a_bad_header_name_is_escaped(topics: Topics) -> None:
    """Names and values are kept; bytes that are not UTF-8 become escapes."""
    await topics.create("tickets.v1", partitions=1)
    await send(topics, 0, [ticket_id := uuid4()], [0])
    tolerate_bad_batches()
    (record,) = await topics.wait_for("tickets.v1", 1)
    assert record.value == good(ticket_id).value
    assert [name for name, _ in record.headers] == [
        *(name for name, _ in good(ticket_id).headers),
        r"\xff" * len(_NAME),
    ]
