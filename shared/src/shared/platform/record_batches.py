r"""Decode fetched record batches so that no bad batch stops its consumer.

aiokafka raises when a batch cannot be decoded, and again each time it is fetched: the consumer
would never get past it. Here every batch yields records:

- bytes of a header name that are not UTF-8 become ``\xff`` escapes, and the record is usable;
- a batch that cannot be decoded at all (unknown codec, damaged bytes) yields one record instead,
  whose value is an `UndecodableBatch`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self, SupportsIndex, overload, override

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

__all__ = ["UndecodableBatch", "reader", "tolerate_bad_batches"]

_LENGTH: Final = struct.Struct(">i")
_LENGTH_AT: Final = 8  # after the base offset; the length is that of all bytes behind it
_MAGIC_AT: Final = 16
_MAGIC: Final = 2  # the only format with headers
_RECORDS_MAX: Final = 1_000_000
"""More than any batch holds; a damaged batch may claim more."""


class UndecodableBatch(bytes):
    """The bytes of an undecodable batch: the value of the one record that replaces its records."""

    def __new__(cls, raw: bytes, *, first: int, last: int, fault: str) -> Self:
        """Store the offsets of the first and the last record, and the decoding fault."""
        made = super().__new__(cls, raw)
        made.first, made.last, made.fault = first, last, fault
        return made

    first: int
    last: int
    fault: str


def tolerate_bad_batches() -> None:
    """Replace aiokafka's decoder in this process, for all consumers."""
    fetcher.MemoryRecords = _Records


def reader(bootstrap: str, *topics: str, **settings: Any) -> AIOKafkaConsumer:  # noqa: ANN401
    """Make a consumer without a group that reads topics from their beginning."""
    tolerate_bad_batches()
    earliest = {"auto_offset_reset": "earliest", **settings}
    return AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, enable_auto_commit=False, **earliest
    )


class _Records:
    """Replaces aiokafka's MemoryRecords: the batches of a fetched partition."""

    def __init__(self, fetched: bytes) -> None:
        self._strict: Any = MemoryRecords(fetched)
        self._fetched = memoryview(fetched)
        self._at = 0

    def size_in_bytes(self) -> int:
        return len(self._fetched)

    def has_next(self) -> bool:
        return bool(self._strict.has_next())

    def next_batch(self) -> Any:  # noqa: ANN401 - the reader's own types are private
        batch = self._strict.next_batch()
        end = self._at + _LENGTH_AT + _LENGTH.size
        end += _LENGTH.unpack_from(self._fetched, self._at + _LENGTH_AT)[0]
        raw, self._at = self._fetched[self._at : end], end
        return batch if raw[_MAGIC_AT] < _MAGIC else _Batch(batch, raw)


@dataclass(frozen=True, slots=True)
class _StandIn:
    """The one record of an undecodable batch. It has the last offset, so that no seek skips it."""

    value: UndecodableBatch
    offset: int
    timestamp: int
    timestamp_type: int
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None


class _Batch:
    """A batch with the interface that aiokafka's fetcher expects; decoded once, on first use."""

    def __init__(self, strict: Any, raw: memoryview) -> None:  # noqa: ANN401
        self._strict = strict
        self._raw = raw
        self._is_whole = bool(strict.validate_crc())
        self._records: Iterator[Any] | None = None
        self.base_offset: int = strict.base_offset
        self.next_offset: int = strict.next_offset
        self.is_transactional = self._is_whole and strict.is_transactional
        self.is_control_batch = self._is_whole and strict.is_control_batch
        self.producer_id: int | None = strict.producer_id if self._is_whole else None
        if not self._is_whole and not 0 < self.next_offset - self.base_offset < _RECORDS_MAX:
            self.next_offset = self.base_offset + 1

    def validate_crc(self) -> bool:
        """Return True even for a damaged batch, which aiokafka would fetch again endlessly."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._decoded())

    def __next__(self) -> Any:  # noqa: ANN401
        if self._records is None:
            self._records = iter(self)
        return next(self._records)

    def _decoded(self) -> list[Any]:
        if not self._is_whole:
            return [self._stand_in("its checksum does not match: it was damaged")]
        try:
            return list(self._strict)
        except UnicodeDecodeError:
            return self._leniently_decoded()
        except Exception as e:  # noqa: BLE001 - each codec has errors of its own
            return [self._stand_in(f"{type(e).__name__}: {e}")]

    def _leniently_decoded(self) -> list[Any]:
        try:
            return list(_Lenient(self._raw))
        except Exception as e:  # noqa: BLE001 - more damage beside the bad name
            return [self._stand_in(f"{type(e).__name__}: {e}")]

    def _stand_in(self, fault: str) -> _StandIn:
        last = self.next_offset - 1
        value = UndecodableBatch(bytes(self._raw), first=self.base_offset, last=last, fault=fault)
        return _StandIn(value, last, self._strict.max_timestamp, self._strict.timestamp_type)


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc] # final, but there is no other way
    """A batch whose records are decoded even if header names are not UTF-8."""

    _buffer: bytearray

    @override
    def _read_msg(self, decode_varint: Any = decode_varint_py) -> Any:
        """Decode numbers in Python: the compiled decoder reads past the end of damaged bytes."""
        return super()._read_msg(decode_varint)

    @override
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Bytes):
            self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes that always decode to text: invalid UTF-8 becomes backslash escapes."""

    @overload
    def __getitem__(self, at: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    @override
    def __getitem__(self, at: slice | SupportsIndex) -> Self | int:
        found = super().__getitem__(at)
        return found if isinstance(found, int) else type(self)(found)

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return super().decode(encoding, "backslashreplace")
