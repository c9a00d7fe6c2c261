"""Header names that are no UTF-8 keep nobody from reading."""

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
    """Notes what it was given, and says when that is so much."""

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
    """Write one batch of facts, some of which have a header whose name is no UTF-8.

    Other clients write such names; aiokafka's producer does not, so its batch is mended.
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
async def test_a_header_name_that_is_no_utf8_harms_no_record(
    topics: Topics, database: MakeDatabase, compression: str | None
) -> None:
    """At the head, in the middle and at the end of a batch: all is handled, once and in order."""
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


async def test_the_name_is_shown_by_its_bytes(topics: Topics) -> None:
    """Text and value of all headers come through; what is no UTF-8 is written as an escape."""
    await topics.create("tickets.v1", partitions=1)
    await send(topics, 0, [ticket_id := uuid4()], [0])
    tolerate_bad_batches()
    (record,) = await topics.wait_for("tickets.v1", 1)
    assert record.value == good(ticket_id).value
    assert [name for name, _ in record.headers] == [
        *(name for name, _ in good(ticket_id).headers),
        r"\xff" * len(_NAME),
    ]
