"""A router's parts in this process, without Kafka: records, acts and sweeps, one at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from httpx import ASGITransport, AsyncClient, Response
from tests.chaos.random_actions import Router
from tests.integration.router.storm import Books, Post, a_moment

from router.api.app import make_app
from router.store.access import specialists_of
from router.sweep import sweep
from shared.basics.errors import Transient
from shared.events import Envelope, Event
from shared.platform import processed_events
from shared.platform.access import Access

__all__ = ["InProcess", "in_process"]


class InProcess:
    """Does what is asked as the consumer, a client and the sweeper do: again while it must wait.

    ``before_try`` is told what is about to be tried, each time.
    """

    def __init__(self, db: Router, client: AsyncClient, books: Books) -> None:
        self.db = db
        self._client = client
        self._books = books
        self.before_try: Callable[[str, int], Awaitable[None]] = _nothing

    async def take(self, envelope: Envelope[Event]) -> None:
        """Take a record in, in a transaction with its claim."""

        async def once() -> None:
            async with self.db.transaction() as tx:
                fresh, at = await processed_events.claim(tx, [envelope.id])
                if fresh:
                    await self.db.routing.apply_events(tx, [envelope], at)

        await self._until_done(envelope.event.type, once)

    async def post(self, post: Post) -> tuple[int, str]:
        """Act, until there is an answer that is not "later"."""
        answers: list[Response] = []

        async def once() -> None:
            headers = self._books.headers(post)
            answer = await self._client.post(post.path, json=post.body, headers=headers)
            if answer.status_code == 503:
                raise Transient(answer.text)
            answers.append(answer)

        await self._until_done(post.what, once)
        return answers[0].status_code, answers[0].text

    async def pass_time(self) -> None:
        """Sweep until nothing is due."""
        while not await self._books.is_quiet():
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
        await a_moment()


@asynccontextmanager
async def in_process(dsn: str, books: Books) -> AsyncIterator[InProcess]:
    """Run a router's parts on a database."""
    db = Router(dsn, connections_max=2)
    await db.start()
    # Keys are learned anew at any time, beside what is decided: no strike is to be lost on that.
    keys = Access(books.owner, specialists_of)
    transport = ASGITransport(make_app(db, db.routing, keys, []))
    try:
        async with AsyncClient(transport=transport, base_url="http://router/v1") as client:
            yield InProcess(db, client, books)
    finally:
        await db.stop()
