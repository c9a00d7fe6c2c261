"""What intake says became of accounts: by the ids of the records that told of them."""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from shared.basics.errors import Poison, Transient
from shared.events import AccountAnswered, Envelope
from shared.events.codec import Record, read
from shared.platform.record_batches import reader

__all__ = ["Answers", "Became"]

_ANSWER_S_MAX: Final = 60


class Became(NamedTuple):
    """What became of an account: of its records, the last word; a refusal before all."""

    answer: AccountAnswered
    records: int


class Answers:
    """Hears answers from the moment on at which it began to listen."""

    def __init__(self, bootstrap: str, topic_prefix: str = "") -> None:
        topic = topic_prefix + AccountAnswered.topic
        self._consumer = reader(bootstrap, topic, auto_offset_reset="latest")

    async def listen(self) -> None:
        """Begin to listen. Raises Transient while the broker is away."""
        try:
            await self._consumer.start()
            for place in self._consumer.assignment():
                await self._consumer.position(place)
        except (KafkaError, OSError, TimeoutError) as e:
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e

    async def hear(self, record_ids: set[str]) -> Mapping[str, Became]:
        """Wait until each record is answered; what became of their accounts comes back.

        Raises Transient when an answer does not come in time: intake gives it once it runs.
        """
        waiting = set(record_ids)
        found: dict[str, Became] = {}
        try:
            async with asyncio.timeout(_ANSWER_S_MAX) as patience:
                while waiting:
                    batches = await self._consumer.getmany(timeout_ms=1000)
                    for raw in (raw for records in batches.values() for raw in records):
                        answer = _answer(raw)
                        if answer is None or answer.record_id not in waiting:
                            continue
                        waiting.discard(answer.record_id)
                        _note(found, answer)
                        patience.reschedule(asyncio.get_running_loop().time() + _ANSWER_S_MAX)
        except (KafkaError, OSError) as e:
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
        except TimeoutError:
            raise Transient(
                f"all is published, but intake has not answered {len(waiting)} of "
                f"{len(record_ids)} records in {_ANSWER_S_MAX} s; it takes them once it runs"
            ) from None
        return found

    async def aclose(self) -> None:
        """Hear no more."""
        await self._consumer.stop()


def _answer(raw: ConsumerRecord) -> AccountAnswered | None:
    topic = AccountAnswered.topic
    try:
        found = read(Record(topic, raw.partition, raw.offset, raw.key, raw.value, raw.headers))
    except Poison:
        return None
    if isinstance(found, Envelope) and isinstance(found.event, AccountAnswered):
        return found.event
    return None


def _note(found: dict[str, Became], answer: AccountAnswered) -> None:
    before = found.get(answer.account_id)
    if before is None:
        found[answer.account_id] = Became(answer, 1)
        return
    order = ("incomplete", "listed", "refused")
    last = max(before.answer, answer, key=lambda one: order.index(one.outcome))
    found[answer.account_id] = Became(last, before.records + 1)
