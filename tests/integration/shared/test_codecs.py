"""All Kafka codecs are decoded; an undecodable batch blocks no consumer."""

from typing import Final
from uuid import uuid4

import pytest
from tests.integration.shared import foreign
from tests.integration.shared.test_consumer import (
    DEAD_LETTERS,
    MakeDatabase,
    Seen,
    consuming,
    good,
    spoiled,
)

from shared.platform import dead_letters
from shared.testing.topics import Topics

CODECS: Final = ("gzip", "snappy", "lz4", "zstd")
_CRC_FROM: Final = 21  # https://kafka.apache.org/documentation/#recordbatch


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("level", ["client", "topic"])
async def test_every_codec_is_read(
    topics: Topics, database: MakeDatabase, codec: str, level: str
) -> None:
    """Whether the client compresses a batch, or the broker by the topic's setting."""
    by_topic = level == "topic"
    settings = {"compression_type": codec} if by_topic else {}
    await topics.create("tickets.v1", partitions=1, **settings)
    await topics.create(DEAD_LETTERS, partitions=1)
    ids = [uuid4() for _ in range(50)]
    seen = Seen()
    async with consuming(topics, await database("intake"), seen):
        records = [*map(good, ids), spoiled(b"")]
        await foreign.send(topics, records, compression_type="none" if by_topic else codec)
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
    assert seen.tickets == ids
    assert dict(letter.headers)["dl-reason"] == b"empty"


async def test_an_undecodable_batch_is_parked_and_skipped(
    topics: Topics, database: MakeDatabase
) -> None:
    """It is parked with its bytes, offsets and fault; a redrive does not send it."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    ids = [uuid4() for _ in range(6)]
    seen = Seen()
    async with consuming(topics, await database("intake"), seen) as db:
        await topics.send(map(good, ids[:3]))
        raw = await foreign.send_undecodable(topics, map(good, (uuid4() for _ in range(5))))
        await topics.send(map(good, ids[3:]))
        await topics.send([spoiled(b"")])
        reports = await topics.wait_for(DEAD_LETTERS, 2)
        async with db.session() as session:
            parked = await dead_letters.all_parked(session)
        async with db.transaction() as tx:
            sent = await dead_letters.redrive(tx, parked[-1].id)
        async with db.session() as session:
            (still,) = await dead_letters.all_parked(session)
    assert seen.tickets == ids
    assert [dict(notice.headers)["dl-reason"] for notice in reports] == [
        b"undecodable_batch",
        b"empty",
    ]
    assert parked[0].offset == 7
    assert parked[0].detail.startswith("offsets 3 to 7: the batch cannot be decoded: ")
    assert parked[0].value is not None
    assert parked[0].value[_CRC_FROM:] == raw
    assert [letter.reason for letter in sent] == ["empty"]
    assert still.id == parked[0].id
