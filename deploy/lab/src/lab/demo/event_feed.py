"""A live feed of all records that the services publish from now on."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from lab.broker import Offsets
from shared.basics.errors import Poison
from shared.events import Envelope, Event
from shared.events.codec import Skipped, read
from shared.platform.record_batches import reader

__all__ = ["EventFeed"]

_GATHER_MS: Final = 30
_GATHER_BYTES: Final = 64 * 1024
"""The broker collects so much before it answers, because fewer requests cost less."""
_RECORDS_MAX: Final = 500


class EventFeed:
    """Calls ``on_event`` with each event and ``on_dead_letter`` with each dead letter.

    It serves the screen and the simulated specialists; the proof reads everything again.
    """

    def __init__(
        self,
        bootstrap: str,
        since: Offsets,
        *,
        on_event: Callable[[Envelope[Event]], None],
        on_dead_letter: Callable[[ConsumerRecord], None],
    ) -> None:
        self._bootstrap = bootstrap
        self._at = dict(since)
        self._on_event = on_event
        self._on_dead_letter = on_dead_letter

    async def run(self) -> None:
        """Read until cancelled."""
        consumer = reader(
            self._bootstrap, fetch_max_wait_ms=_GATHER_MS, fetch_min_bytes=_GATHER_BYTES
        )
        await consumer.start()
        try:
            consumer.assign(list(self._at))
            for place, offset in self._at.items():
                consumer.seek(place, offset)
            while True:
                batches = await consumer.getmany(timeout_ms=1000, max_records=_RECORDS_MAX)
                for place, records in batches.items():
                    self._process(records)
                    self._at[place] = records[-1].offset + 1
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()

    def has_read(self, ends: Offsets) -> bool:
        """Return whether everything up to ``ends`` has been processed."""
        return all(self._at.get(place, 0) >= end for place, end in ends.items())

    def _process(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            if ".dead-letters." in record.topic:
                self._on_dead_letter(record)
                continue
            with suppress(Poison):
                found = read(record)
                if not isinstance(found, Skipped):
                    self._on_event(found)
