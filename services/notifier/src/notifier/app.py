"""Notifier, put together: the consumer that plans, the sender, the relay."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from notifier import handlers, store
from notifier.sender import PENDING_AGE_S, Sender
from notifier.service import take
from notifier.settings import Settings
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.readings import of_database
from shared.platform.service import Service

__all__ = ["assemble"]

_PATIENCE_MS: Final = 50


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Wire the parts in the order in which they start."""
    service = Service("notifier", settings, db)
    sender = Sender(db, settings)
    handle = partial(take, wake=sender.wake)
    consumer = service.consumer(handlers.CONSUMES, handlers.decode, handle, linger_ms=_PATIENCE_MS)
    readings = [of_database(db, PENDING_AGE_S, store.pending_age_s)]
    return service.parts(consumer, None, sender, readings=readings)
