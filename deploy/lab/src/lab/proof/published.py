"""Reads what the services published, and distinguishes repeated records from doubled facts.

Delivery is at least once, so a record may be on a topic twice: copies have the same id and content.
Two contents under one id, or two ids for one cause, are doubled facts.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from lab.broker import Offsets
from shared.basics.clock import elapsed_s
from shared.basics.errors import Transient
from shared.events import AssignmentFact, WatermarkAdvanced, dead_letter_topic
from shared.platform.dead_letters import reason_of
from shared.platform.record_batches import UndecodableBatch, reader

__all__ = ["DEAD_LETTER_TOPICS", "FACT_TOPICS", "Published", "PublishedFacts", "read_published"]

FACT_TOPICS: Final = (
    "tickets.v1",
    "assignments.v1",
    "clocks.v1",
    "breaches.v1",
    "notifications.v1",
)
DEAD_LETTER_TOPICS: Final = tuple(
    dead_letter_topic(service) for service in ("intake", "router", "sla-monitor", "notifier")
)

_ABOUT: Final = (
    *(
        "kind",
        "cycle",
        "percent",
        "specialist_id",
        "delivery_id",
        "retracted_id",
        "due_at",
        "offer_id",
        "cause",
        "severity",
        "claimed_severity",
    ),
)
_REAL_TIME: Final = frozenset(
    {"attempts", "accepted_at", "breakdown", "candidates", "smallest_change"}
)
"""Fields that depend on timing: how often a delivery was tried, when a request came, who was known
to have a ticket then, and what else specialists had. They are left out of digests."""
_AS_KNOWN: Final = frozenset({"due_at", "rank_at"})
"""Fields that depend on which clocks router had read when it decided: clocks come on another topic,
before or after the fact that led to the decision."""
_SILENCE_S_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Published:
    """A fact, from its first copy on a topic; ``about`` has the fields that identify it."""

    topic: str
    id: UUID
    type: str
    ticket: str
    content: bytes
    about: dict[str, str]


@dataclass(slots=True)
class PublishedFacts:
    """All published facts, in the order of each partition."""

    facts: dict[UUID, Published] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)

    def add(self, record: ConsumerRecord) -> None:
        """Add a record; watermarks, which concern no ticket, are ignored."""
        if isinstance(record.value, UndecodableBatch):
            place = f"{record.topic}/{record.partition}"
            batch = record.value
            self.contradictions.append(
                f"{place}: offsets {batch.first} to {batch.last} cannot be decoded: {batch.fault}"
            )
            return
        if record.topic in DEAD_LETTER_TOPICS:
            self.dead_letters[f"{record.topic}: {reason_of(record.headers)}"] += 1
            return
        fact = _read(record)
        if fact.type == WatermarkAdvanced.type:
            return
        known = self.facts.setdefault(fact.id, fact)
        if known is not fact:
            self.repeats[record.topic] += 1
            if known.content != fact.content:
                self.contradictions.append(f"{fact.type} {fact.id} has two contents")

    @property
    def digest(self) -> str:
        """A digest of the set of facts, independent of order and repetition."""
        digest = hashlib.sha256()
        for content in sorted(fact.content for fact in self.facts.values()):
            digest.update(content)
        return digest.hexdigest()

    def of_type(self, event_type: str) -> Iterator[Published]:
        """Return the facts of one type."""
        return (fact for fact in self.facts.values() if fact.type == event_type)


async def read_published(bootstrap: str, since: Offsets, until: Offsets) -> PublishedFacts:
    """Read from ``since`` to ``until``. Raises Transient if the broker becomes unreachable."""
    consumer = reader(bootstrap)
    left = {place: end for place, end in until.items() if end > since.get(place, 0)}
    published = PublishedFacts()
    try:
        await consumer.start()
        consumer.assign(list(left))
        for place in left:
            consumer.seek(place, since.get(place, 0))
        received_at = elapsed_s()
        while left:
            batches = await consumer.getmany(timeout_ms=1000, max_records=5000)
            for place, records in batches.items():
                for record in records:
                    if record.offset < until[place]:
                        published.add(record)
                received_at = elapsed_s()
            for place in [p for p in left if await consumer.position(p) >= left[p]]:
                del left[place]
                consumer.pause(place)
            if elapsed_s(received_at) > _SILENCE_S_MAX:
                raise Transient(f"Kafka returned no record for {_SILENCE_S_MAX} s")
    except (KafkaError, OSError, TimeoutError) as e:
        raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
    finally:
        await consumer.stop()
    return published


def _without(fields: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _read(record: ConsumerRecord) -> Published:
    headers = {name: (value or b"").decode() for name, value in record.headers}
    fields: dict[str, Any] = json.loads(record.value)
    lasting = _without(fields, _REAL_TIME)
    if record.topic == AssignmentFact.topic:
        lasting = _without(lasting, _AS_KNOWN)
        if "wanted" in lasting:
            lasting["wanted"] = _without(lasting["wanted"], _AS_KNOWN)
    line = [
        record.topic,
        *(headers[f"ce_{name}"] for name in ("id", "type", "subject", "time")),
        lasting,
    ]
    return Published(
        topic=record.topic,
        id=UUID(headers["ce_id"]),
        type=headers["ce_type"],
        ticket=headers["ce_subject"],
        content=hashlib.sha256(json.dumps(line, sort_keys=True).encode()).digest(),
        about={name: str(fields[name]) for name in _ABOUT if name in fields},
    )
