"""Assembles router: consumer, sweep, relay, pruner, HTTP API and inbox."""

from collections.abc import Sequence

from router import handlers
from router.api.app import make_app
from router.pages.details import IntakeClient
from router.pages.routes import inbox_routes
from router.service.roster_cache import collect_garbage_less_often
from router.service.routing import RoutingService
from router.settings import Settings
from router.store import pages as page_store
from router.store import tickets as ticket_store
from router.sweep import Sweeper
from shared.platform.access import Authenticator
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.processed_events import Pruner
from shared.platform.service import Service
from shared.web.change_feed import ChangeFeed
from shared.web.oidc import Oidc

__all__ = ["assemble"]


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Return the parts in the order in which they start; they stop in reverse order."""
    collect_garbage_less_often()
    service = Service("router", settings, db)
    routing = RoutingService(settings.rules)
    consumer = service.consumer(handlers.CONSUMES, handlers.decode, routing.apply_events)
    feed = ChangeFeed(db, page_store.poll_changes)
    intake = IntakeClient(settings.intake_url, settings.intake_key)
    oidc = Oidc(settings.oidc) if settings.oidc else None
    pages = inbox_routes(db, routing, feed, intake, oidc)
    access = Authenticator(db)
    own = (
        Sweeper(db, routing),
        Pruner(db, "decision pruner", ticket_store.delete_old_decisions),
        access,
    )
    parts = service.parts(
        consumer, lambda routes: make_app(db, routing, access, [*routes, *pages]), *own
    )
    return [*parts, feed]
