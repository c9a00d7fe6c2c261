"""The notifier's parts: the consumer that plans deliveries, the sender and the relay."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from notifier import handlers, store
from notifier.api import make_app
from notifier.sender import PENDING_AGE_S, Sender
from notifier.service import plan_deliveries
from notifier.settings import Settings
from shared.platform.access import Authenticator
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.readings import of_database
from shared.platform.service import Service

__all__ = ["assemble"]

_LINGER_MS: Final = 50
"""The consumer waits this long for more records after a small batch."""


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Build the parts, in the order in which they start."""
    service = Service("notifier", settings, db)
    sender = Sender(db, settings)
    handle = partial(plan_deliveries, wake=sender.wake)
    consumer = service.consumer(handlers.CONSUMES, handlers.decode, handle, linger_ms=_LINGER_MS)
    readings = [of_database(db, PENDING_AGE_S, store.pending_age_s)]
    access = Authenticator(db)
    return service.parts(
        consumer, lambda routes: make_app(db, access, routes), sender, access, readings=readings
    )
