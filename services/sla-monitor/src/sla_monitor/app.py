"""Sla-monitor, put together: the consumer, the sweep, the relay."""

from collections.abc import Sequence
from typing import Final

from shared.events import BreachFact
from shared.platform.access import Authenticator
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.readings import of_database
from shared.platform.service import Service
from sla_monitor import handlers
from sla_monitor.api.app import make_app
from sla_monitor.partitions import Partitions
from sla_monitor.reevaluator import Reevaluator
from sla_monitor.service import Folding
from sla_monitor.settings import Settings
from sla_monitor.store import clocks as clock_store
from sla_monitor.store.access import accounts_of
from sla_monitor.sweep import Sweeper
from sla_monitor.telemetry import WATERMARK_AGE_S

__all__ = ["assemble"]

_PATIENCE_MS: Final = 200


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Wire the parts in the order in which they start."""
    service = Service("sla-monitor", settings, db)
    partitions = Partitions(db, lambda: service.partitions(BreachFact.topic))
    folding = Folding(partitions)
    prompt = service.consumer(handlers.PROMPTLY, handlers.decode, folding.take)
    patient = service.consumer(
        handlers.PATIENTLY,
        handlers.decode,
        folding.take,
        purpose="hands",
        linger_ms=_PATIENCE_MS,
    )
    access = Authenticator(db, accounts_of)
    own = (partitions, Sweeper(db), Reevaluator(db, folding), patient, access)
    readings = [of_database(db, WATERMARK_AGE_S, clock_store.watermark_age_s)]
    return service.parts(
        prompt, lambda routes: make_app(db, access, routes), *own, readings=readings
    )
