"""Router, put together: the consumer, the sweep, the relay, the specialists' door."""

from collections.abc import Sequence

from router import handlers
from router.http import make_app
from router.memory import spare_the_collector
from router.settings import Settings
from router.sweep import Forgetter, Sweeper
from shared.lifecycle import Part
from shared.postgres import Database
from shared.service import Service

__all__ = ["assemble"]


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Wire the parts in the order in which they start."""
    spare_the_collector()
    service = Service("router", settings, db)
    matcher = handlers.Matcher(settings.rules)
    consumer = service.consumer(handlers.CONSUMES, handlers.decode, matcher.take)
    own = (Sweeper(db, matcher), Forgetter(db))
    return service.parts(consumer, lambda routes: make_app(db, matcher, routes), *own)
