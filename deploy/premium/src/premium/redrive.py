"""`premium redrive SERVICE`: give dead letters another try, byte for byte.

Each dead letter goes back once to the topic it came from; the group `premium-redrive` remembers
how far it got. A record that is still bad is parked again, with the reason it has now.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Final

import typer
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from rich.console import Console
from rich.table import Table

from premium.settings import Settings
from premium.stack import Stack
from premium.stack.errors import StackError
from premium.stack.services import SERVICES
from shared.dead_letters import DeadLetter, restored
from shared.errors import Poison
from shared.events import dead_letter_topic
from shared.publisher import Outgoing, Publisher
from shared.settings import load

__all__ = ["redrive", "redriven", "to_the_end"]

_GROUP: Final = "premium-redrive"
_WAIT_MS: Final = 1000


def redrive(
    service: Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")],
    *,
    list_only: Annotated[bool, typer.Option("--list", help="show them, send nothing")] = False,
) -> None:
    """Send the dead letters of SERVICE back to the topics they came from, each once."""
    if service not in SERVICES:
        raise StackError(f"no service {service!r}: choose one of {', '.join(SERVICES)}")
    bootstrap = Stack.attach(load(Settings).home).addresses.kafka_bootstrap
    letters = asyncio.run(redriven(bootstrap, service, list_only=list_only))
    table = Table("came from", "reason", "records", title=f"dead letters of {service}")
    for (topic, reason), count in sorted(Counter((x.topic, x.reason) for x in letters).items()):
        table.add_row(topic, reason, str(count))
    console = Console()
    if letters:
        console.print(table)
    done = "found" if list_only else "sent back"
    console.print(f"{len(letters)} dead letters {done}")


async def redriven(
    bootstrap: str, service: str, topic_prefix: str = "", *, list_only: bool = False
) -> list[DeadLetter]:
    """Redrive what was parked and not redriven yet; the dead letters come back."""
    publisher = Publisher(bootstrap, service="premium", topic_prefix=topic_prefix)
    letters: list[DeadLetter] = []
    try:
        async with _consumer(bootstrap, topic_prefix, service) as consumer:
            async for records in to_the_end(consumer):
                batch = [letter for record in records if (letter := _read(record))]
                letters += batch
                if not list_only:
                    await publisher.publish(
                        Outgoing(x.topic, x.key, x.value, x.headers) for x in batch
                    )
                    await consumer.commit()
    finally:
        await publisher.stop()
    return letters


def _read(record: ConsumerRecord) -> DeadLetter | None:
    """Pass over what somebody else put there: it came from nowhere it could go back to."""
    try:
        return restored(record.key, record.value, record.headers)
    except Poison:
        return None


@asynccontextmanager
async def _consumer(
    bootstrap: str, topic_prefix: str, service: str
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        topic_prefix + dead_letter_topic(service),
        bootstrap_servers=bootstrap,
        group_id=f"{topic_prefix}{_GROUP}.{service}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def to_the_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Read from where the consumer stands to where its topic ends now."""
    held = list(consumer.assignment())
    ends: dict[TopicPartition, int] = await consumer.end_offsets(held)
    while any([await consumer.position(tp) < ends[tp] for tp in held]):
        found = await consumer.getmany(timeout_ms=_WAIT_MS)
        yield [record for records in found.values() for record in records]
