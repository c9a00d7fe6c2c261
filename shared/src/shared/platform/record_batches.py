r"""Fetched record batches, decoded so that no batch stops its consumer.

aiokafka raises where a batch cannot be decoded, and again each time that the batch is fetched: its
consumer would never get past it. Here every batch yields records:

- a header name that is no UTF-8 is shown with its bytes as ``\xff``, and its record is as good as
  any;
- a batch that cannot be decoded at all (an unknown codec, damaged bytes) yields one record in its
  place, whose value is an `UndecodableBatch`.
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
_LENGTH_AT: Final = 8  # behind the base offset; it counts what follows it
_MAGIC_AT: Final = 16
_MAGIC: Final = 2  # the only format with headers
_RECORDS_MAX: Final = 1_000_000
"""No batch holds as many: a damaged one may say so."""


class UndecodableBatch(bytes):
    """The bytes of a batch that cannot be decoded; stands as the value of one record for all."""

    def __new__(cls, raw: bytes, *, first: int, last: int, fault: str) -> Self:
        """Keep the offsets of the first and the last record, and why it cannot be decoded."""
        made = super().__new__(cls, raw)
        made.first, made.last, made.fault = first, last, fault
        return made

    first: int
    last: int
    fault: str


def tolerate_bad_batches() -> None:
    """Make all consumers of this process read every batch."""
    fetcher.MemoryRecords = _Records


def reader(bootstrap: str, *topics: str, **settings: Any) -> AIOKafkaConsumer:  # noqa: ANN401
    """Make a consumer outside of any group that reads every batch, from the beginning."""
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
    """One record for all of an undecodable batch, at the last offset: a seek may skip others."""

    value: UndecodableBatch
    offset: int
    timestamp: int
    timestamp_type: int
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None


class _Batch:
    """A batch as aiokafka's fetcher reads it: decoded once, when its records are asked for."""

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
        """Say yes: aiokafka would fetch a damaged batch again and again."""
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
        except Exception as e:  # noqa: BLE001 - damage behind a name that is no UTF-8
            return [self._stand_in(f"{type(e).__name__}: {e}")]

    def _stand_in(self, fault: str) -> _StandIn:
        last = self.next_offset - 1
        value = UndecodableBatch(bytes(self._raw), first=self.base_offset, last=last, fault=fault)
        return _StandIn(value, last, self._strict.max_timestamp, self._strict.timestamp_type)


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc] # final, but there is no other door
    """A batch whose records are taken apart whatever the names of their headers."""

    _buffer: bytearray

    @override
    def _read_msg(self, decode_varint: Any = decode_varint_py) -> Any:
        """Decode numbers by Python: the compiled decoder reads past the end of damaged bytes."""
        return super()._read_msg(decode_varint)

    @override
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Bytes):
            self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes whose parts decode to text whatever they are."""

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
