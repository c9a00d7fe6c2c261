"""Builds the parts that every service has: relay, publisher, consumer, pruners, HTTP server."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from shared.basics.errors import Transient
from shared.platform import dead_letters, idempotency, outbox, telemetry
from shared.platform.consumer import BatchConsumer, Claimable, ConsumerConnection, Decoder, Handler
from shared.platform.http import Check, HttpServer, ops_routes
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database, now
from shared.platform.processed_events import Pruner
from shared.platform.publisher import Publisher
from shared.platform.readings import Reading, of_database
from shared.platform.relay import Relay
from shared.platform.settings import ServiceSettings

__all__ = ["Service"]

_RELAY_SILENT_S_MAX: Final = 20
_LETTERS_KEPT: Final = timedelta(days=90)

type MakeApp = Callable[[list[BaseRoute]], Starlette]


class Service:
    """The common parts of one service.

    ``relay_linger_ms`` is for a service that publishes often, a few events at a time: see `Relay`.
    Dead letters are kept, to be redriven, for ``dead_letters_kept``.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        db: Database,
        *,
        relay_linger_ms: int = 0,
        dead_letters_kept: timedelta = _LETTERS_KEPT,
    ) -> None:
        self._name = name
        self._settings = settings
        self._db = db
        self._publisher = Publisher(
            settings.kafka_bootstrap, service=name, topic_prefix=settings.topic_prefix
        )
        self._pruners = (
            Pruner(db),
            Pruner(db, "idempotency key pruner", idempotency.prune),
            Pruner(db, "dead letter pruner", dead_letters.prune_after(dead_letters_kept)),
        )
        direct = settings.direct_dsn
        self._direct = (
            [Database(direct.get_secret_value(), service=name, connections_max=1)] if direct else []
        )
        """A connection that bypasses the pooler: the relay's lock needs a session of its own."""
        self._relay = Relay(
            db,
            self._publisher,
            linger_ms=relay_linger_ms,
            sessions=next(iter(self._direct), db),
        )
        self._checks: dict[str, Check] = {}
        self._lags: list[Callable[[], Awaitable[dict[tuple[str, ...], float]]]] = []

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions. Raises Transient while the broker is unavailable."""
        return await self._publisher.partitions(topic)

    def consumer[T: Claimable](
        self,
        topics: Sequence[str],
        decode: Decoder[T],
        handle: Handler[T],
        *,
        purpose: str = "",
        linger_ms: int = 0,
    ) -> BatchConsumer[T]:
        """Make a consumer; for a second one, ``purpose`` becomes part of the group's name."""
        connection = ConsumerConnection(
            bootstrap=self._settings.kafka_bootstrap,
            service=self._name,
            instance_id=self._settings.instance_id,
            topic_prefix=self._settings.topic_prefix,
            purpose=purpose,
            linger_ms=linger_ms,
        )
        made = BatchConsumer(connection, self._db, topics=topics, decode=decode, handle=handle)
        self._checks[f"{purpose} partitions" if purpose else "partitions"] = made.fault
        self._lags.append(made.lag)
        return made

    def parts[T: Claimable](
        self,
        consumer: BatchConsumer[T],
        make_app: MakeApp,
        *own: Part,
        readings: Sequence[Reading] = (),
        tolerated: Collection[str] = (),
    ) -> Sequence[Part]:
        """Return the parts in start order: the relay runs before anything can be announced.

        ``readings`` are the service's own gauges; for ``tolerated`` see `ops_routes`.
        """
        checks = {"database": self._database_fault, **self._checks, "relay": self._relay_fault}
        read = [
            Reading(telemetry.LAG, self._lag),
            of_database(self._db, telemetry.OUTBOX_AGE_S, outbox.age_s),
            *readings,
        ]
        routes = ops_routes(checks, read, tolerated=tolerated)
        http = HttpServer(
            make_app(routes), host=self._settings.http_host, port=self._settings.http_port
        )
        publisher = _Connected(self._publisher)
        return [*self._direct, publisher, self._relay, *self._pruners, *own, consumer, http]

    async def _lag(self) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for lag in self._lags:
            found |= await lag()
        return found

    async def _database_fault(self) -> str | None:
        async with self._db.session() as session:
            await now(session)
        return None

    async def _relay_fault(self) -> str | None:
        silent_s = self._relay.silent_s
        return f"silent for {silent_s:.0f} s" if silent_s > _RELAY_SILENT_S_MAX else None


class _Connected:
    """The publisher as a part; without a broker at the start, the first publish connects."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def start(self) -> None:
        with suppress(Transient):
            await self._publisher.start()

    async def stop(self) -> None:
        await self._publisher.stop()
