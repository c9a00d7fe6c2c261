"""Intake, put together: the doors, the consumer, the relay."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from intake import handlers
from intake.api.app import Parts, make_app
from intake.domain import NumberKeys
from intake.idempotency import make_reception
from intake.maintenance import Keeper
from intake.settings import Settings
from intake.store.access import sources_of
from intake.webhooks import Secrets
from shared.platform.access import Authenticator
from shared.platform.consumer import BatchConsumer
from shared.platform.lifecycle import Part
from shared.platform.limits import Limits
from shared.platform.postgres import Database
from shared.platform.service import Service

__all__ = ["assemble"]

_RELAY_PATIENCE_MS: Final = 5
"""A round of the relay costs what ten requests do; a receipt in Kafka may be so much later."""

_LETTERS_KEPT: Final = timedelta(days=14)
"""They may hold what customers wrote, and one that was cut short names nobody to an erasure."""


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Wire the parts in the order in which they start."""
    keys = NumberKeys(settings.number_secret.get_secret_value())
    service = Service(
        "intake",
        settings,
        db,
        relay_linger_ms=_RELAY_PATIENCE_MS,
        dead_letters_kept=_LETTERS_KEPT,
    )
    consumer: BatchConsumer[handlers.Item] = service.consumer(
        handlers.CONSUMES, handlers.decode, partial(handlers.take, keys=keys)
    )
    secrets = Secrets(settings.webhook_secrets_dir)
    behind = Parts(db, Authenticator(db, sources_of), secrets, make_reception(db, keys), keys)
    limits = Limits(settings.requests_max, settings.body_s_max)
    return service.parts(
        consumer,
        lambda routes: make_app(behind, routes, limits),
        behind.access,
        behind.reception,
        Keeper(db, keys),
        tolerated=("partitions", "relay"),
    )
