"""A batch of clocks to insert: their ids, due times, and the keys of their records."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

__all__ = ["Batch"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """``count`` clocks, the first due at ``first``, each next one ``step`` later.

    Id number n is the MD5 of ``run/n``, so that SQL can generate a million of them.
    """

    run: str
    count: int
    first: datetime
    step: timedelta = timedelta(0)

    @property
    def ids(self) -> list[UUID]:
        """The ids, in order of due times."""
        return [UUID(hashlib.md5(f"{self.run}/{n}".encode()).hexdigest()) for n in self._numbers]  # noqa: S324 - a name, not a secret

    @property
    def keys(self) -> list[bytes]:
        """The ids as keys of Kafka records."""
        return [str(one).encode() for one in self.ids]

    @property
    def due_at(self) -> list[datetime]:
        """All due times."""
        return [self.first + n * self.step for n in self._numbers]

    @property
    def last(self) -> datetime:
        """The last due time."""
        return self.first + (self.count - 1) * self.step

    def to_line(self) -> str:
        """Write the batch as one line, exact to the microsecond."""
        first_us, step_us = (self.first - _EPOCH) // _TICK, self.step // _TICK
        return json.dumps([self.run, self.count, first_us, step_us])

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read a line of `to_line`."""
        run, count, first_us, step_us = json.loads(line)
        return cls(run, count, _EPOCH + first_us * _TICK, step_us * _TICK)

    @property
    def _numbers(self) -> range:
        return range(self.count)
