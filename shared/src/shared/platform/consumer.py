"""The batch consumer: handles each batch of records in one transaction, with its offsets.

FastStream declares the subscription and owns the group member; the read loop is ours. FastStream's
own loop can lose or block records (ACK_FIRST commits before the handler runs, one bad record fails
its whole batch, unusual headers are skipped silently), and it sleeps after an empty poll. Here:

- a batch is one transaction: claims, decisions, state, outbox, dead letters, offsets;
- on `Transient` the batch waits and is retried: nothing is parked, later records do not overtake;
- on any other error the batch is bisected until the bad record is alone; it is parked at once for
  `Poison`, or after a few attempts for a bug.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_when_event_set,
    wait_random_exponential,
)

from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Poison, Transient
from shared.events.codec import Record, Skipped
from shared.platform import dead_letters, offsets, processed_events, telemetry
from shared.platform.assignment import Assignment
from shared.platform.connection import ConsumerConnection
from shared.platform.offsets import Offset, Progress
from shared.platform.postgres import Database, Tx
from shared.platform.record_batches import UndecodableBatch, tolerate_bad_batches

__all__ = ["BatchConsumer", "Claimable", "ConsumerConnection", "Decoder", "Handler"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 500
_TRIES_MAX: Final = 3
_POLL_MS: Final = 250
"""How long a poll waits for records, and so how long a stop may take."""
_LULL_MS: Final = 20
"""Offsets are committed to Kafka after this time without records, so that tools show no lag."""
_FEW: Final = 25
_AWAY_S: Final = 0.5
_COMMIT_S: Final = 0.25
"""How long offsets stay uncommitted in Kafka while records arrive."""
_UNSAVED_S: Final = 5.0
"""How long offsets stay unsaved in the database while all records are skipped."""
_METADATA_MS: Final = 5_000
"""How soon a topic that was created again is noticed; aiokafka's default is five minutes."""


class Claimable(Protocol):
    """A decoded record. Each id is handled once."""

    @property
    def id(self) -> UUID:
        """The id to claim."""


type Decoder[T] = Callable[[Record], T | Skipped]
"""Decodes a record, or skips it. Raises Poison for a record that can never be decoded."""

type Handler[T] = Callable[[Tx, Sequence[T], datetime], Awaitable[None]]
"""Handles items that were not handled before, in order, at a business time, in a transaction."""


@dataclass(frozen=True, slots=True)
class _Item[T]:
    """A record and what the decoder returned. ``id`` is None for skipped records."""

    raw: ConsumerRecord
    record: Record
    outcome: T | Poison | Skipped
    id: UUID | None

    def parked(self, why: Poison) -> "_Item[T]":
        """Return the same record, to be stored as a dead letter for this reason."""
        return _Item(self.raw, self.record, why, dead_letters.id_of(self.record))


class BatchConsumer[T: Claimable]:
    """Consumes topics for one service and passes items not handled before to its handler."""

    def __init__(
        self,
        connection: ConsumerConnection,
        db: Database,
        *,
        topics: Sequence[str],
        decode: Decoder[T],
        handle: Handler[T],
    ) -> None:
        self._connection = connection
        self._db = db
        self._topics = [connection.topic_prefix + topic for topic in topics]
        self._linger_s = connection.linger_ms / 1000
        self._decode = decode
        self._handle = handle
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._in_hand: dict[TopicPartition, int] = {}
        self._unsaved: dict[TopicPartition, Offset] = {}
        self._saved_at = elapsed_s()
        self._handled: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self._lull = asyncio.Event()
        self._assignment = Assignment(connection.bootstrap, connection.group, db)
        self._broker = KafkaBroker(
            connection.bootstrap,
            client_id=connection.service,
            logger=None,
            consumer_only=True,
            allow_auto_create_topics=False,
            metadata_max_age_ms=_METADATA_MS,
        )
        self._subscriber = self._broker.subscriber(
            *self._topics,
            group_id=connection.group,
            group_instance_id=connection.member(topics),
            listener=self._assignment,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=1024 * 1024,
            max_poll_interval_ms=300_000,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
        )

    async def start(self) -> None:
        """Start joining the group in the background; this works while the broker is unavailable."""
        tolerate_bad_batches()
        self._task = asyncio.create_task(self._run(), name="consumer")

    async def stop(self) -> None:
        """Finish and commit the current batch, then leave the group."""
        self._stop.set()
        if self._task is not None:
            if not self._in_hand:
                self._task.cancel()
            await asyncio.wait({self._task})
        self._lull.set()
        if self._committing is not None:
            await self._committing
        if self._unsaved:
            with suppress(Transient):
                await self._transact([], 1)
        await self._broker.stop()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    async def fault(self) -> str | None:
        """Describe the partitions that should be read but are not; None if there are none."""
        return await self._assignment.fault(self._consumer, self._topics)

    async def lag(self) -> dict[tuple[str, ...], float]:
        """Count the records not handled yet of each assigned partition, by (topic, partition)."""
        consumer = self._consumer
        if consumer is None or not self._assignment.is_placed:
            return {}
        ends = await consumer.end_offsets(consumer.assignment())
        prefix = self._connection.topic_prefix
        found: dict[tuple[str, ...], float] = {}
        for place, end in ends.items():
            at = self._in_hand.get(place)
            if at is None:
                at = await consumer.position(place)
            found[place.topic.removeprefix(prefix), str(place.partition)] = max(0, end - at)
        return found

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def _run(self) -> None:
        consumer = await self._join()
        while not self._stop.is_set():
            try:
                wait_ms = _LULL_MS if self._handled else _POLL_MS
                found = await consumer.getmany(timeout_ms=wait_ms, max_records=_BATCH_MAX)
                records = await self._assignment.accepted(consumer, found)
                self._note_handled(self._assignment.take_confirmed())
                self._in_hand = _firsts(records)
                await self._on_batch(records)
                self._in_hand = {}
                if self._linger_s and 0 < len(records) < _FEW:
                    await wait_at_most(self._stop.wait(), self._linger_s)
            except RetryError:
                return
            except Transient as e:
                await self._wait(str(e))
            except KafkaError as e:
                await self._wait(f"{type(e).__name__}: {e}")
                if not e.retriable:  # aiokafka's own tasks may have ended with it
                    await self._leave()
                    consumer = await self._join()

    async def _join(self) -> AIOKafkaConsumer:
        while True:
            try:
                await self._broker.start()
            except (KafkaError, OSError) as e:
                await self._leave()
                await self._wait(f"Kafka: {type(e).__name__}: {e}")
            else:
                assert self._consumer is not None  # noqa: S101 - the broker just made it
                return self._consumer

    async def _leave(self) -> None:
        consumer = self._consumer
        with suppress(KafkaError, OSError):
            await self._broker.stop()
        if consumer is not None:  # aiokafka leaves its connections open if its tasks have ended
            await consumer._client.close()  # noqa: SLF001

    async def _wait(self, reason: str) -> None:
        _LOG.warning("consumer_waits", reason=reason)
        await wait_at_most(self._stop.wait(), _AWAY_S)

    async def _on_batch(self, records: Sequence[ConsumerRecord]) -> None:
        if not records:
            self._lull.set()
            return
        self._lull.clear()
        started = elapsed_s()
        await self._settle([self._read(raw) for raw in records])
        telemetry.BATCH_S.observe(elapsed_s(started))
        self._note_handled(
            {TopicPartition(raw.topic, raw.partition): raw.offset + 1 for raw in records}
        )

    def _note_handled(self, handled: Mapping[TopicPartition, int]) -> None:
        self._handled |= handled
        if self._handled and (self._committing is None or self._committing.done()):
            self._committing = asyncio.create_task(self._commit_handled(), name="offsets")

    def _read(self, raw: ConsumerRecord) -> _Item[T]:
        topic = raw.topic.removeprefix(self._connection.topic_prefix)
        place = (topic, raw.partition, raw.offset)
        record = Record(*place, raw.key, raw.value, raw.headers, raw.timestamp)
        telemetry.CONSUMED.labels(topic).inc()
        outcome: T | Poison | Skipped
        try:
            outcome = _undecodable(raw) or self._decode(record)
        except Poison as e:
            outcome = e
        except Exception as e:  # noqa: BLE001 - a decoder's bug must not stop the partition
            outcome = _bug(e)
        if isinstance(outcome, Poison):
            return _Item(raw, record, outcome, dead_letters.id_of(record))
        if isinstance(outcome, Skipped):
            if not outcome.is_known:
                telemetry.SKIPPED.labels(topic).inc()
            return _Item(raw, record, outcome, None)
        return _Item(raw, record, outcome, outcome.id)

    async def _settle(self, items: list[_Item[T]]) -> None:
        """Handle items, or park those that cannot be handled. Raises RetryError on a stop."""
        if all(item.id is None for item in items):
            return await self._note_skipped(items)
        try:
            await self._persist(items)
        except RetryError:
            raise
        except Exception as e:  # noqa: BLE001 - bisected until one record is left
            if len(items) > 1:
                middle = len(items) // 2
                await self._settle(items[:middle])
                await self._settle(items[middle:])
            else:
                await self._give_up(items[0], e)

    async def _note_skipped(self, items: list[_Item[T]]) -> None:
        """Save the offsets of skipped records: with the next batch, or if none comes for 5 s."""
        self._unsaved |= offsets.last_of(item.raw for item in items)
        if elapsed_s(self._saved_at) > _UNSAVED_S:
            await self._persist([])

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
        await self._persist([item.parked(error)], tries)
        return None

    async def _persist(self, items: list[_Item[T]], attempts: int = 1) -> None:
        """Run the transaction; on Transient wait and run it again."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_when_event_set(self._stop),  # type: ignore[arg-type] # asks is_set() only
            before_sleep=_report_waiting,
        ):
            with attempt:
                await self._transact(items, attempts)

    async def _transact(self, items: list[_Item[T]], attempts: int) -> None:
        async with self._db.transaction() as tx:
            come = self._unsaved | offsets.last_of(item.raw for item in items)
            fresh, now = await processed_events.claim(
                tx,
                (item.id for item in items if item.id is not None),
                Progress.of(self._connection.group, come),
            )
            good: dict[UUID, T] = {}
            for item in items:
                if item.id not in fresh:
                    continue
                if isinstance(item.outcome, Poison):
                    await self._park(tx, item.record, item.outcome, attempts)
                elif not isinstance(item.outcome, Skipped):
                    good.setdefault(item.id, item.outcome)
            if good:
                await self._handle(tx, list(good.values()), now)
        self._unsaved.clear()
        self._saved_at = elapsed_s()

    async def _park(self, tx: Tx, record: Record, why: Poison, attempts: int) -> None:
        service = self._connection.service
        await dead_letters.park(tx, record, why, service=service, attempts=attempts)
        _LOG.warning("record_parked", reason=why.reason, detail=why.detail, **_place(record))

    async def _commit_handled(self) -> None:
        """Commit the handled offsets to Kafka, for other tools; the consumer does not use them.

        Waits for the next pause in the records, at most _COMMIT_S.
        """
        while self._handled:
            await wait_at_most(self._lull.wait(), _COMMIT_S)
            handled, self._handled = self._handled, {}
            await self._commit(handled)

    async def _commit(self, handled: Mapping[TopicPartition, int]) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        held = consumer.assignment()
        offsets = {tp: at for tp, at in handled.items() if tp in held}
        try:
            await consumer.commit(offsets)
        except (KafkaError, ValueError) as e:
            # A commit fails only in a rebalance; then `take_confirmed` returns the offsets again.
            _LOG.warning("commit_failed", reason=f"{type(e).__name__}: {e}")


def _firsts(records: Sequence[ConsumerRecord]) -> dict[TopicPartition, int]:
    return {TopicPartition(raw.topic, raw.partition): raw.offset for raw in reversed(records)}


def _undecodable(raw: ConsumerRecord) -> Poison | None:
    batch = raw.value
    if not isinstance(batch, UndecodableBatch):
        return None
    return Poison(
        dead_letters.UNDECODABLE,
        f"offsets {batch.first} to {batch.last}: the batch cannot be decoded: {batch.fault};"
        " its bytes are kept unchanged",
    )


def _bug(error: Exception) -> Poison:
    return Poison("bug", f"{type(error).__name__}: {error}; fix the service, then redrive")


def _place(record: Record) -> dict[str, object]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def _report_waiting(state: Any) -> None:  # noqa: ANN401 - tenacity's RetryCallState
    telemetry.WAITS.inc()
    _LOG.warning("batch_waits", tries=state.attempt_number, reason=str(state.outcome.exception()))
