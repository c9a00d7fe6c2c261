"""The batch consumer: raw bytes in, one transaction a batch, then the offset.

FastStream's defaults lose or block records (its ACK_FIRST commits before the handler, its batch
decoding fails good neighbours, its parser skips odd headers in silence), so it is given a parser
that cannot raise, AckPolicy.MANUAL, and explicit offsets. What is ours:

- a batch is one transaction: inbox claim, decision, state, outbox, dead letters;
- `Transient`: the batch waits and is tried again, nothing is parked, nothing overtakes;
- anything else: the batch is bisected until the bad record stands alone, which is then parked,
  at once when it is `Poison`, after a few tries when it is a bug.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_when_event_set,
    wait_random_exponential,
)

from shared import dead_letters, inbox, telemetry
from shared.clock import elapsed_s, or_after
from shared.errors import Poison, Transient
from shared.events.codec import Record, Skipped
from shared.postgres import Database, Tx

__all__ = ["BatchConsumer", "Claimable", "Connection", "Decoder", "Handler"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 500
_TRIES_MAX: Final = 3
_DRAIN_S_MAX: Final = 6


class Claimable(Protocol):
    """What a decoder makes of a record: handled once by its id."""

    @property
    def id(self) -> UUID:
        """What the inbox claims."""


type Decoder[T] = Callable[[Record], T | Skipped]
"""Makes sense of one record; raises Poison for what can never make sense."""

type Handler[T] = Callable[[Tx, Sequence[T], datetime], Awaitable[None]]
"""Decides, saves and announces; gets the fresh items in order and the time."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the records come from. ``instance_id`` keeps partitions over a restart (KIP-345)."""

    bootstrap: str
    service: str
    instance_id: str | None = None
    topic_prefix: str = ""


@dataclass(frozen=True, slots=True)
class _Item[T]:
    record: Record
    outcome: T | Poison
    id: UUID


class BatchConsumer[T: Claimable]:
    """Consumes some topics for one service and hands fresh items to its handler."""

    def __init__(
        self,
        connection: Connection,
        db: Database,
        *,
        topics: Sequence[str],
        decode: Decoder[T],
        handle: Handler[T],
    ) -> None:
        self._connection = connection
        self._db = db
        self._decode = decode
        self._handle = handle
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._broker = KafkaBroker(
            connection.bootstrap,
            client_id=connection.service,
            logger=None,
            allow_auto_create_topics=False,
            graceful_timeout=None,
        )
        self._subscriber = self._broker.subscriber(
            *(connection.topic_prefix + topic for topic in topics),
            group_id=connection.topic_prefix + connection.service,
            group_instance_id=connection.instance_id,
            batch=True,
            max_records=_BATCH_MAX,
            batch_timeout_ms=10,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=1024 * 1024,
            max_poll_interval_ms=300_000,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            parser=self._wrap,
            decoder=_as_it_is,
        )
        self._subscriber(self._on_batch)

    async def start(self) -> None:
        """Join the group. Raises Transient while the broker is away."""
        try:
            await self._broker.start()
        except (KafkaError, OSError) as e:
            await self._broker.stop()
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e

    async def stop(self) -> None:
        """Fetch no more, finish and commit the batch in hand, leave the group.

        FastStream closes its consumer before the handler ends; hence the pause first.
        """
        self._stop.set()
        if (consumer := self._consumer) is not None:
            consumer.pause(*consumer.assignment())
        await or_after(self._idle.wait(), _DRAIN_S_MAX)
        await self._broker.stop()

    async def fault(self) -> str | None:
        """Say why nothing can be consumed, or None."""
        held = self._consumer.assignment() if self._consumer else ()
        return None if held else "no partitions assigned"

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def _wrap(self, records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
        """Take the batch as it is: FastStream's own parser skips null and non-UTF-8 headers."""
        consumer = self._consumer
        assert consumer is not None  # noqa: S101 - it just delivered this batch
        return KafkaMessage(body=b"", raw_message=records, headers={}, consumer=consumer)

    async def _on_batch(self, message: KafkaMessage) -> None:
        records: tuple[ConsumerRecord, ...] = message.raw_message
        if self._stop.is_set():
            return
        self._idle.clear()
        try:
            started = elapsed_s()
            await self._settle([item for r in records if (item := self._read(r)) is not None])
            telemetry.BATCH_S.observe(elapsed_s(started))
            await self._commit(records)
        except RetryError:
            _LOG.info("batch_left", records=len(records))
        finally:
            self._idle.set()

    def _read(self, raw: ConsumerRecord) -> _Item[T] | None:
        topic = raw.topic.removeprefix(self._connection.topic_prefix)
        record = Record(topic, raw.partition, raw.offset, raw.key, raw.value, raw.headers)
        telemetry.CONSUMED.labels(topic).inc()
        try:
            outcome = self._decode(record)
        except Poison as e:
            return _Item(record, e, dead_letters.id_of(record))
        except Exception as e:  # noqa: BLE001 - a decoder's bug must not stop the partition
            return _Item(record, _bug(e), dead_letters.id_of(record))
        if isinstance(outcome, Skipped):
            telemetry.SKIPPED.labels(outcome.type[:100]).inc()
            return None
        return _Item(record, outcome, outcome.id)

    async def _settle(self, items: list[_Item[T]]) -> None:
        """Handle items, or park those that cannot be. Raises RetryError when told to stop."""
        if not items:
            return
        try:
            await self._persist(items)
        except RetryError:
            raise
        except Exception as e:  # noqa: BLE001 - bisected until it is clear whose fault it is
            if len(items) > 1:
                middle = len(items) // 2
                await self._settle(items[:middle])
                await self._settle(items[middle:])
            else:
                await self._give_up(items[0], e)

    async def _give_up(self, item: _Item[T], error: Exception) -> None:
        tries = 1
        while not isinstance(error, Poison) and tries < _TRIES_MAX:
            tries += 1
            try:
                return await self._persist([item])
            except RetryError:
                raise
            except Exception as e:  # noqa: BLE001 - counted, then parked
                error = e
        if not isinstance(error, Poison):
            _LOG.error("record_parked_after_tries", exc_info=error, **_place(item.record))
            error = _bug(error)
        await self._persist([_Item(item.record, error, dead_letters.id_of(item.record))], tries)
        return None

    async def _persist(self, items: list[_Item[T]], attempts: int = 1) -> None:
        """Run the transaction; while a server of ours is away, wait and run it again."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_when_event_set(self._stop),  # type: ignore[arg-type] # asks is_set() only
            before_sleep=_say_waiting,
        ):
            with attempt:
                await self._transact(items, attempts)

    async def _transact(self, items: list[_Item[T]], attempts: int) -> None:
        async with self._db.transaction() as tx:
            fresh, now = await inbox.claim(tx, (item.id for item in items))
            good: dict[UUID, T] = {}
            for item in items:
                if item.id not in fresh:
                    continue
                if isinstance(item.outcome, Poison):
                    await self._park(tx, item.record, item.outcome, attempts)
                else:
                    good.setdefault(item.id, item.outcome)
            if good:
                await self._handle(tx, list(good.values()), now)

    async def _park(self, tx: Tx, record: Record, why: Poison, attempts: int) -> None:
        service = self._connection.service
        await dead_letters.park(tx, record, why, service=service, attempts=attempts)
        _LOG.warning("record_parked", reason=why.reason, detail=why.detail, **_place(record))

    async def _commit(self, records: Sequence[ConsumerRecord]) -> None:
        """Commit what was handled; if that fails the batch comes again, and the inbox knows it."""
        consumer = self._consumer
        if consumer is None:
            return
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        held = consumer.assignment()
        try:
            await consumer.commit({tp: at for tp, at in offsets.items() if tp in held})
        except (KafkaError, ValueError) as e:
            _LOG.warning("commit_failed", reason=f"{type(e).__name__}: {e}")
        for tp, at in offsets.items():
            if tp in held and (end := consumer.highwater(tp)) is not None:
                topic = tp.topic.removeprefix(self._connection.topic_prefix)
                telemetry.LAG.labels(topic, tp.partition).set(max(0, end - at))


async def _as_it_is(message: KafkaMessage) -> Any:  # noqa: ANN401 - FastStream's own signature
    """Decode nothing: records are read one by one, where each can fail alone."""
    return message.body


def _bug(error: Exception) -> Poison:
    return Poison("bug", f"{type(error).__name__}: {error}; mend the service, then redrive")


def _place(record: Record) -> dict[str, object]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def _say_waiting(state: Any) -> None:  # noqa: ANN401 - tenacity's RetryCallState
    telemetry.WAITS.inc()
    _LOG.warning("batch_waits", tries=state.attempt_number, reason=str(state.outcome.exception()))
