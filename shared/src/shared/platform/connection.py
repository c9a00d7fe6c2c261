"""How a consumer connects to Kafka: brokers, consumer group and member name."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

__all__ = ["ConsumerConnection"]


@dataclass(frozen=True, slots=True)
class ConsumerConnection:
    """How a consumer connects to Kafka.

    With ``instance_id`` it keeps its partitions over a restart (static membership, KIP-345).
    ``purpose`` distinguishes a second consumer of the service from its first. After a small batch
    the consumer waits ``linger_ms`` for more records, so that there are fewer transactions; a
    record that arrives after a pause is not delayed.
    """

    bootstrap: str
    service: str
    instance_id: str | None = None
    topic_prefix: str = ""
    purpose: str = ""
    linger_ms: int = 0

    @property
    def group(self) -> str:
        """The name of the consumer group."""
        name = f"{self.service}.{self.purpose}" if self.purpose else self.service
        return self.topic_prefix + name

    def member(self, topics: Sequence[str]) -> str | None:
        """Return the static member name, derived from ``topics``; None without an ``instance_id``.

        Kafka returns to a known member the partitions it had before. With one fixed name Kafka
        would never assign it a topic that an upgrade added.
        """
        if self.instance_id is None:
            return None
        return f"{self.instance_id}-{sha256(' '.join(sorted(topics)).encode()).hexdigest()[:8]}"
