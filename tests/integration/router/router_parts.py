"""Router's parts in this process, without Kafka: it applies one event or command at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from httpx import ASGITransport, AsyncClient, Response
from tests.chaos.random_actions import Router
from tests.integration.router.scenario import CommandRequest, Observer, short_pause

from router.api.app import make_app
from router.sweep import sweep
from shared.basics.errors import Transient
from shared.events import Envelope, Event
from shared.platform import processed_events
from shared.platform.access import Authenticator

__all__ = ["InProcess", "in_process"]


class InProcess:
    """Applies events, commands and timers as a running router does, and retries transient failures.

    ``before_try`` is called before each attempt with its kind and number.
    """

    def __init__(self, db: Router, client: AsyncClient, observer: Observer) -> None:
        self.db = db
        self._client = client
        self._observer = observer
        self.before_try: Callable[[str, int], Awaitable[None]] = _nothing

    async def apply(self, envelope: Envelope[Event]) -> None:
        """Apply an event in one transaction, unless it was processed before."""

        async def once() -> None:
            async with self.db.transaction() as tx:
                fresh, at = await processed_events.claim(tx, [envelope.id])
                if fresh:
                    await self.db.routing.apply_events(tx, [envelope], at)

        await self._until_done(envelope.event.type, once)

    async def post(self, post: CommandRequest) -> tuple[int, str]:
        """Send a command until the response is final."""
        responses: list[Response] = []

        async def once() -> None:
            headers = self._observer.headers(post)
            response = await self._client.post(post.path, json=post.body, headers=headers)
            if response.status_code == 503:
                raise Transient(response.text)
            responses.append(response)

        await self._until_done(post.what, once)
        return responses[0].status_code, responses[0].text

    async def pass_time(self) -> None:
        """Sweep until no timer is due."""
        while not await self._observer.nothing_is_due():
            await self._until_done("time", lambda: sweep(self.db, self.db.routing))

    async def _until_done(self, kind: str, once: Callable[[], Awaitable[None]]) -> None:
        tries = 0
        while True:
            await self.before_try(kind, tries)
            try:
                return await once()
            except Transient:
                tries += 1


async def _nothing(_: str, tries: int) -> None:
    if tries:
        await short_pause()


@asynccontextmanager
async def in_process(dsn: str, observer: Observer) -> AsyncIterator[InProcess]:
    """Run router's parts on a database."""
    db = Router(dsn, connections_max=2)
    await db.start()
    # Access keys are loaded past the proxy, because their loading is not part of any step.
    keys = Authenticator(observer.owner)
    transport = ASGITransport(make_app(db, db.routing, keys, []))
    try:
        async with AsyncClient(transport=transport, base_url="http://router/v1") as client:
            yield InProcess(db, client, observer)
    finally:
        await db.stop()
