"""The connections of a demo, a replay or a benchmark to a running stack."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from devstack.addresses import Addresses
from devstack.databases import DATABASES
from lab.broker import Broker
from lab.proof.retry import with_retry
from lab.proof.tables import Tables
from shared.platform.publisher import Publisher

__all__ = ["Connections", "connected"]


@dataclass(frozen=True, slots=True)
class Connections:
    """Kafka's offsets, the databases as their owners, and a producer."""

    broker: Broker
    tables: Tables
    publisher: Publisher


@asynccontextmanager
async def connected(addresses: Addresses) -> AsyncIterator[Connections]:
    """Connect to a stack, and disconnect at the end. Raises Transient: PostgreSQL is away."""
    async with AsyncExitStack() as opened:
        tables = Tables({name: addresses.dsn(name, owner=True) for name in DATABASES})
        opened.push_async_callback(tables.stop)
        await with_retry(tables.start)
        broker = Broker(addresses.kafka_bootstrap)
        opened.push_async_callback(broker.close)
        publisher = Publisher(addresses.kafka_bootstrap, service="premium")
        opened.push_async_callback(publisher.stop)
        yield Connections(broker, tables, publisher)
