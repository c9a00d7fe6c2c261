"""Where a consumer's records come from, and as which member of which group it reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

__all__ = ["ConsumerConnection"]


@dataclass(frozen=True, slots=True)
class ConsumerConnection:
    """Where the records come from. ``instance_id`` keeps partitions over a restart (KIP-345).

    ``purpose`` tells a second consumer of the service from its first. After a batch of few records
    ``linger_ms`` are waited for more: fewer transactions, and the first is not delayed.
    """

    bootstrap: str
    service: str
    instance_id: str | None = None
    topic_prefix: str = ""
    purpose: str = ""
    linger_ms: int = 0

    @property
    def group(self) -> str:
        """The consumer group."""
        name = f"{self.service}.{self.purpose}" if self.purpose else self.service
        return self.topic_prefix + name

    def member(self, topics: Sequence[str]) -> str | None:
        """Name the member that keeps its partitions over a restart.

        One that comes back with other topics is another: Kafka gives a member that it knows by name
        what it had, and would never assign a topic that an upgrade added.
        """
        if self.instance_id is None:
            return None
        return f"{self.instance_id}-{sha256(' '.join(sorted(topics)).encode()).hexdigest()[:8]}"
