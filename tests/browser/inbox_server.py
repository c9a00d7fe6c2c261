"""A server of router's pages, on a real PostgreSQL and a port of the loopback interface."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from playwright.async_api import Browser, Page
from pydantic import AnyHttpUrl, SecretStr
from starlette.routing import BaseRoute

from router.api.app import make_app
from router.domain.matching import default_rules
from router.pages.details import IntakeClient
from router.pages.routes import inbox_routes
from router.service.routing import RoutingService
from router.store import pages as page_store
from shared.events import Envelope, Event
from shared.platform.access import Authenticator
from shared.platform.http import HttpServer
from shared.platform.postgres import Database, now
from shared.testing.builders import NOON
from shared.testing.databases import FreshDatabase
from shared.web import store as web
from shared.web.change_feed import ChangeFeed
from shared.web.oidc import Oidc, OidcSettings
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["InboxServer", "serving_inbox"]

RUN_FROM: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{moment}' + (now() - timestamptz '{since}') $$
"""
REAL_NOW: Final = "SELECT now()"


@dataclass(slots=True)
class InboxServer:
    """The pages' server, and its database."""

    db: Database
    fresh: FreshDatabase
    routing: RoutingService
    routes: Sequence[BaseRoute]
    address: str = ""
    server: HttpServer = field(init=False)

    async def serve(self, port: int = 0) -> None:
        """Listen on a port; 0: a free one."""
        access = Authenticator(self.db)
        app = make_app(self.db, self.routing, access, [*self.routes])
        self.server = HttpServer(app, host="127.0.0.1", port=port)
        await self.server.start()
        assert self.server.listening is not None
        self.address = "http://{}:{}".format(*self.server.listening.getsockname())

    async def stop(self) -> None:
        """Stop the server, and close its connections."""
        await self.server.stop()

    async def restart(self) -> None:
        """Serve again at the same port."""
        await self.serve(int(self.address.rpartition(":")[2]))

    async def handle(self, *envelopes: Envelope[Event]) -> None:
        """Handle events as the consumer does."""
        async with self.db.transaction() as tx:
            await self.routing.apply_events(tx, envelopes, await now(tx))

    async def link(self, name: str, *, lead: bool = False) -> str:
        """Make a sign-in link."""
        async with self.db.transaction() as tx:
            return f"{self.address}{LINK}/{await web.make_link(tx, Person(name, lead=lead))}"

    async def page_of(
        self, browser: Browser, name: str, *, lead: bool = False, path: str = "/inbox"
    ) -> Page:
        """Sign a person in, in a new browser window."""
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        await page.goto(await self.link(name, lead=lead))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{self.address}/inbox")
        if path != "/inbox":
            await page.goto(f"{self.address}{path}")
        await page.wait_for_selector("body[data-live=live]")
        return page

    async def set_time(self, moment: datetime) -> None:
        """Set business time, which runs on."""
        await run_from(self.fresh, moment)


async def run_from(fresh: FreshDatabase, moment: datetime) -> None:
    """Let business time run on from a time."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await owner.start()
    async with owner.session() as session:
        since = await session.fetchval(REAL_NOW)
        await session.execute(RUN_FROM.format(moment=moment.isoformat(), since=since.isoformat()))
    await owner.stop()


@asynccontextmanager
async def serving_inbox(
    fresh: FreshDatabase,
    *,
    intake: tuple[str, str] | None = None,
    oidc: OidcSettings | None = None,
) -> AsyncIterator[InboxServer]:
    """Serve during the block; ``intake`` is its URL and a key."""
    await run_from(fresh, NOON + timedelta(minutes=1))
    db = Database(fresh.dsn, service="router")
    details = (
        IntakeClient(AnyHttpUrl(intake[0]), SecretStr(intake[1]))
        if intake
        else IntakeClient(None, None)
    )
    feed = ChangeFeed(db, page_store.poll_changes)
    routing = RoutingService(default_rules())
    pages = inbox_routes(db, routing, feed, details, Oidc(oidc) if oidc else None)
    desk = InboxServer(db, fresh, routing, pages)
    async with AsyncExitStack() as stack:
        await db.start()
        stack.push_async_callback(db.stop)
        await desk.serve()
        stack.push_async_callback(desk.stop)
        await feed.start()
        stack.push_async_callback(feed.stop)
        yield desk
