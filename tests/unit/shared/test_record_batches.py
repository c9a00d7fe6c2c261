"""Fetched batches: their records are read, or the batch is skipped, whatever its bytes."""

import struct
from random import Random
from typing import Final

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from shared.platform.record_batches import UndecodableBatch, _Records

COUNT: Final = 20
CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_LAST_DELTA_AT, _CRC_AT, _CRC_FROM, _ATTRIBUTES_AT, _RECORDS_AT = 23, 17, 21, 22, 61


def batch(codec: int = 0, *, first: int = 0) -> bytearray:
    """Build a batch of records."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number in range(COUNT):
        builder.append(number, 0, b"key", b"value" * 20, [("name", b"header")])
    written = bytearray(builder.build())
    struct.pack_into(">q", written, 0, first)
    return written


def sealed(written: bytearray) -> bytearray:
    """Set the right checksum."""
    struct.pack_into(">I", written, _CRC_AT, calc_crc32c(bytes(written[_CRC_FROM:])))
    return written


def read(*batches: bytearray) -> list[tuple[int, object]]:
    """Read offsets and values, as aiokafka's fetcher does."""
    records = _Records(b"".join(batches))
    found: list[tuple[int, object]] = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += [(record.offset, record.value) for record in one]
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_each_codec_is_decoded(codec: str) -> None:
    """All records, in order."""
    assert [offset for offset, _ in read(batch(CODECS[codec]))] == list(range(COUNT))


def test_a_batch_with_an_unknown_codec_is_skipped() -> None:
    """The other batches are read; the bad batch's offsets and bytes are kept."""
    bad = batch(first=COUNT)
    bad[_ATTRIBUTES_AT] |= 5
    found = read(batch(), sealed(bad), batch(first=2 * COUNT))
    (stand_in,) = [value for _, value in found if isinstance(value, UndecodableBatch)]
    assert [offset for offset, _ in found] == [*range(COUNT), 39, *range(40, 60)]
    assert (stand_in.first, stand_in.last, bytes(stand_in)) == (20, 39, bytes(bad))
    assert "codec" in stand_in.fault


@pytest.mark.parametrize("last_delta", [COUNT - 1, -7, 2**31 - 1])
def test_a_damaged_batch_is_skipped(last_delta: int) -> None:
    """Even with a damaged end offset it never skips the following batch."""
    bad = batch()
    struct.pack_into(">i", bad, _LAST_DELTA_AT, last_delta)
    bad[-1] ^= 1
    found = read(bad, batch(first=COUNT))
    assert isinstance(found[0][1], UndecodableBatch)
    assert "checksum" in found[0][1].fault
    assert [offset for offset, _ in found[1:]] == list(range(COUNT, 2 * COUNT))
    assert found[0][0] < COUNT


@pytest.mark.parametrize("codec", CODECS)
def test_no_bytes_stop_a_reader(codec: str, seed: int) -> None:
    """Random changes with a valid checksum: the batch is read or skipped."""
    random = Random(seed)  # noqa: S311 - reproducible
    for _ in range(500):
        spoiled = batch(CODECS[codec])
        for _ in range(random.randint(1, 4)):
            spoiled[random.randrange(_RECORDS_AT, len(spoiled))] = random.randrange(256)
        found = read(sealed(spoiled), batch(first=COUNT))
        assert [offset for offset, _ in found[-COUNT:]] == list(range(COUNT, 2 * COUNT))
