"""Router, put together: the consumer, the sweep, the relay, the specialists' door and pages."""

from collections.abc import Sequence

from router import handlers
from router.http import make_app
from router.inbox import store as inbox
from router.inbox.details import Intake
from router.inbox.routes import inbox_routes
from router.settings import Settings
from router.sweep import Sweeper
from shared.lifecycle import Part
from shared.postgres import Database
from shared.service import Service
from shared.web.oidc import Oidc
from shared.web.pulse import Pulse

__all__ = ["assemble"]


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Wire the parts in the order in which they start; open pages are let go of first."""
    service = Service("router", settings, db)
    consumer = service.consumer(handlers.CONSUMES, handlers.decode, handlers.take)
    pulse = Pulse(db, inbox.look)
    intake = Intake(settings.intake_url, settings.intake_key)
    pages = inbox_routes(db, pulse, intake, Oidc(settings.oidc) if settings.oidc else None)
    parts = service.parts(consumer, lambda routes: make_app(db, [*routes, *pages]), Sweeper(db))
    return [*parts, pulse]
