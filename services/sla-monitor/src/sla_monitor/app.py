"""Builds the parts of sla-monitor: consumers, sweep, reevaluation, HTTP API."""

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
from sla_monitor.service import ClockService
from sla_monitor.settings import Settings
from sla_monitor.store import clocks as clock_store
from sla_monitor.sweep import Sweeper
from sla_monitor.telemetry import WATERMARK_AGE_S

__all__ = ["assemble"]

_LINGER_MS: Final = 200


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Build the parts, in start order."""
    service = Service("sla-monitor", settings, db)
    partitions = Partitions(db, lambda: service.partitions(BreachFact.topic))
    clock_service = ClockService(partitions)
    primary = service.consumer(handlers.PRIMARY, handlers.decode, clock_service.handle)
    secondary = service.consumer(
        handlers.SECONDARY,
        handlers.decode,
        clock_service.handle,
        purpose="secondary",
        linger_ms=_LINGER_MS,
    )
    access = Authenticator(db)
    own = (partitions, Sweeper(db), Reevaluator(db, clock_service), secondary, access)
    readings = [of_database(db, WATERMARK_AGE_S, clock_store.watermark_age_s)]
    return service.parts(
        primary, lambda routes: make_app(db, access, routes), *own, readings=readings
    )
