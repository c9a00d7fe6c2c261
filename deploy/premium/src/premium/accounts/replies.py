"""Intake's replies to published accounts, matched by record id."""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from premium.topics import event_of, kafka_errors
from shared.basics.errors import Transient
from shared.events import AccountAnswered
from shared.platform.record_batches import reader

__all__ = ["Import", "Replies"]

_REPLY_S_MAX: Final = 60
_ORDER: Final = ("incomplete", "listed", "refused")
"""Outcomes of an account's records: the last of these decides the account's."""


class Import(NamedTuple):
    """The outcome for one account, and how many of its records were answered."""

    answer: AccountAnswered
    records: int


class Replies:
    """Reads the replies that come after `start`."""

    def __init__(self, bootstrap: str, topic_prefix: str = "") -> None:
        topic = topic_prefix + AccountAnswered.topic
        self._consumer = reader(bootstrap, topic, auto_offset_reset="latest")

    async def start(self) -> None:
        """Start at the present end of the topic. Raises Transient if Kafka is unreachable."""
        with kafka_errors():
            await self._consumer.start()
            for place in self._consumer.assignment():
                await self._consumer.position(place)

    async def to(self, record_ids: set[str]) -> Mapping[str, Import]:
        """Wait for the replies to all records, and return the outcome of each account.

        Raises:
            Transient: Kafka is unreachable, or no reply came for 60 s.
        """
        waiting = set(record_ids)
        found: dict[str, Import] = {}
        try:
            async with asyncio.timeout(_REPLY_S_MAX) as deadline:
                while waiting:
                    for answer in await self._next():
                        if answer.record_id in waiting:
                            waiting.discard(answer.record_id)
                            _add(found, answer)
                            deadline.reschedule(asyncio.get_running_loop().time() + _REPLY_S_MAX)
        except TimeoutError:
            raise Transient(
                f"all is published, but intake has not answered {len(waiting)} of "
                f"{len(record_ids)} records in {_REPLY_S_MAX} s; it takes them once it runs"
            ) from None
        return found

    async def aclose(self) -> None:
        """Close the consumer."""
        await self._consumer.stop()

    async def _next(self) -> list[AccountAnswered]:
        with kafka_errors():
            batches = await self._consumer.getmany(timeout_ms=1000)
        raws = (raw for records in batches.values() for raw in records)
        events = (event_of(raw, AccountAnswered.topic) for raw in raws)
        return [e.event for e in events if e and isinstance(e.event, AccountAnswered)]


def _add(found: dict[str, Import], answer: AccountAnswered) -> None:
    before = found.get(answer.account_id)
    if before is None:
        found[answer.account_id] = Import(answer, 1)
        return
    last = max(before.answer, answer, key=lambda one: _ORDER.index(one.outcome))
    found[answer.account_id] = Import(last, before.records + 1)
