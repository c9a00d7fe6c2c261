r"""Header names that are no UTF-8: other clients write them, aiokafka raises where it reads them.

Such a name would keep a consumer from all that its batch holds, for ever: it is decoded when the
records are handed out, before anybody can step over one. So a batch that aiokafka's fast reader
cannot take apart is read by its plain one, with what is no UTF-8 in names shown as ``\xff``: nobody
asks for such a header, and its record is as good as any.
"""

import struct
from typing import Any, Final, Self, SupportsIndex, overload, override

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

__all__ = ["accept_any"]

_LENGTH: Final = struct.Struct(">i")
_LENGTH_AT: Final = 8  # behind the base offset; it counts what follows it
_MAGIC_AT: Final = 16
_MAGIC: Final = 2  # the only format with headers


def accept_any() -> None:
    """Let the consumers of this process read records whatever the names of their headers."""
    fetcher.MemoryRecords = _Records


class _Records:
    """Stands where aiokafka's MemoryRecords does: the batches of a fetched partition."""

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
        return batch if raw[_MAGIC_AT] < _MAGIC or _is_plain(raw) else _Lenient(raw)


def _is_plain(raw: memoryview) -> bool:
    """Tell whether the fast reader gets through; what else may be wrong, it says when asked."""
    try:
        for _ in DefaultRecordBatch(raw):
            pass
    except UnicodeDecodeError:
        return False
    except Exception:  # noqa: BLE001 - damage is found again where it is handled
        return True
    return True


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc] # final, but there is no other door
    """A batch whose records are taken apart whatever the names of their headers."""

    _buffer: bytearray

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
