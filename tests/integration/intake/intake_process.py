"""Intake with an HTTP server on a local port, and with its consumer and relay on Kafka."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from httpx import AsyncClient
from tests.integration.intake.conftest import KEYS, REQUEST, Intake

from intake import handlers
from intake.api.app import Dependencies, make_app
from intake.webhooks import Secrets
from shared.platform.access import Authenticator
from shared.platform.consumer import BatchConsumer, ConsumerConnection
from shared.platform.http import HttpServer, ops_routes
from shared.platform.lifecycle import Part
from shared.platform.limits import DEFAULT_LIMITS, Limits
from shared.platform.postgres import Database
from shared.platform.publisher import Publisher
from shared.platform.relay import Relay
from shared.testing.databases import FreshDatabase
from shared.testing.keys import new_key
from shared.testing.topics import Topics

INBOUND: Final = "inbound.v1"
RECEIPTS: Final = "receipts.v1"
DEAD_LETTERS: Final = "intake.dead-letters.v1"
TOPICS: Final = (*handlers.CONSUMES, *handlers.EMITS, DEAD_LETTERS)
_BURST: Final = 100_000


@asynccontextmanager
async def serving(
    intake: Intake,
    fresh: FreshDatabase,
    *,
    limits: Limits = DEFAULT_LIMITS,
    secrets: Path | None = None,
) -> AsyncIterator[AsyncClient]:
    """Serve on a local port; yield a client with a key that has a high rate limit."""
    key = await new_key(fresh.owner_dsn, "intake", name="fast", rate_per_s=_BURST, burst=_BURST)
    routes = ops_routes({})
    used = Dependencies(intake.db, Authenticator(intake.db), Secrets(secrets), intake.submissions)
    app = make_app(used, routes, limits)
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    address = "http://{}:{}".format(*server.listening.getsockname())
    headers = {"authorization": f"Bearer {key.text}", "content-type": "application/json"}
    try:
        async with AsyncClient(base_url=address, headers=headers, timeout=60) as client:
            yield client
    finally:
        await server.stop()


@asynccontextmanager
async def consuming(db: Database, topics: Topics, purpose: str = "") -> AsyncIterator[None]:
    """Run the consumer and the relay; another purpose is a new group that reads from the start."""
    publisher = Publisher(topics.bootstrap, service="intake", topic_prefix=topics.prefix)
    connection = ConsumerConnection(
        topics.bootstrap, "intake", topic_prefix=topics.prefix, purpose=purpose
    )
    consumer: BatchConsumer[handlers.Item] = BatchConsumer(
        connection,
        db,
        topics=handlers.CONSUMES,
        decode=handlers.decode,
        handle=partial(handlers.handle_batch, keys=KEYS),
    )
    parts: list[Part] = [publisher, Relay(db, publisher), consumer]
    async with AsyncExitStack() as stack:
        for part in parts:
            await part.start()
            stack.push_async_callback(part.stop)
        yield


def requests(count: int, **changes: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Make ``count`` requests."""
    return ({**REQUEST, "external_id": f"R-{n}", **changes} for n in range(count))


def around[T](bad: T, good: Sequence[T]) -> list[T]:
    """Insert the bad one in the middle."""
    middle = len(good) // 2
    return [*good[:middle], bad, *good[middle:]]
