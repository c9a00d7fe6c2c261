"""Creates the topics of topics.yaml, and applies their settings."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import resources
from typing import Any, Final, Literal

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from pydantic import BaseModel, ByteSize, ConfigDict, TypeAdapter

from premium.errors import CommandError
from shared.basics.clock import wait_at_most

__all__ = ["Topic", "admin", "ensure_topics", "topics"]

_REPLICAS_MAX: Final = 3
_REQUEST_MS: Final = 15_000
_POLL_S: Final = 0.05


class Topic(BaseModel):
    """A topic of topics.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    owner: str
    partitions: int
    cleanup: Literal["delete", "compact"] = "delete"
    retention: timedelta | None = None
    max_message_bytes: ByteSize | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The topic's settings, by Kafka's names."""
        wanted: dict[str, object] = {"cleanup.policy": self.cleanup}
        if self.retention is not None:
            wanted["retention.ms"] = self.retention // timedelta(milliseconds=1)
        if self.max_message_bytes is not None:
            wanted["max.message.bytes"] = int(self.max_message_bytes)
        return {name: str(value) for name, value in wanted.items()}


def topics() -> list[Topic]:
    """Read topics.yaml."""
    text = resources.files("devstack").joinpath("topics.yaml").read_text()
    return TypeAdapter(list[Topic]).validate_python(yaml.safe_load(text))


async def ensure_topics(bootstrap: str) -> list[str]:
    """Create missing topics, apply the settings of the others, and return the new names.

    Returns when every partition has a leader, so that producers need not wait.

    Raises:
        CommandError: Kafka is unreachable, or a topic has not as many partitions as listed.
    """
    try:
        async with admin(bootstrap) as client:
            existing = {topic["topic"] for topic in await client.describe_topics()}
            missing = [topic for topic in topics() if topic.name not in existing]
            await _create(client, missing)
            await _configure(client, [topic for topic in topics() if topic.name in existing])
            await _until_led(client)
    except (KafkaError, OSError, TimeoutError) as e:
        raise CommandError(f"cannot make the topics on Kafka at {bootstrap}: {e}") from e
    return [topic.name for topic in missing]


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client of a cluster."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def _create(client: AIOKafkaAdminClient, missing: Sequence[Topic]) -> None:
    if not missing:
        return
    replicas = min(_REPLICAS_MAX, len((await client.describe_cluster())["brokers"]))
    response = await client.create_topics(
        [NewTopic(t.name, t.partitions, replicas, topic_configs=t.settings) for t in missing]
    )
    for name, code, reason in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise CommandError(f"cannot make topic {name}: {reason or for_code(code).__name__}")


async def _configure(client: AIOKafkaAdminClient, existing: Sequence[Topic]) -> None:
    """Apply the settings of topics.yaml; reset all other settings to the broker's defaults."""
    if not existing:
        return
    responses = await client.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, t.name, t.settings) for t in existing]
    )
    for response in responses:
        for code, reason, _, name in response.resources:
            if code != 0:
                raise CommandError(f"cannot set topic {name}: {reason or for_code(code).__name__}")


async def _until_led(client: AIOKafkaAdminClient) -> None:
    wanted = {topic.name: topic.partitions for topic in topics()}
    async with asyncio.timeout(_REQUEST_MS / 1000):
        while True:
            found = await client.describe_topics(list(wanted))
            led = {
                topic["topic"]: sum(part["leader"] >= 0 for part in topic["partitions"])
                for topic in found
            }
            if led == wanted:
                return
            _refuse_other_counts(found, wanted)
            await wait_at_most(asyncio.Event().wait(), _POLL_S)


def _refuse_other_counts(found: list[dict[str, Any]], wanted: Mapping[str, int]) -> None:
    for topic in found:
        name, count = topic["topic"], len(topic["partitions"])
        if count not in (0, wanted[name]):
            raise CommandError(
                f"topic {name} has {count} partitions, topics.yaml has {wanted[name]}:"
                f" a key's partition must not change, so write {count} there"
            )
