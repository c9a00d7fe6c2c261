"""Intake's parts: the HTTP API, the consumer, the relay and periodic maintenance."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from intake import handlers
from intake.api.app import Dependencies, make_app
from intake.domain import NumberKeys
from intake.maintenance import Maintenance
from intake.settings import Settings
from intake.submissions import Submissions
from intake.webhooks import Secrets
from shared.platform.access import Authenticator
from shared.platform.consumer import BatchConsumer
from shared.platform.lifecycle import Part
from shared.platform.limits import Limits
from shared.platform.postgres import Database
from shared.platform.service import Service

__all__ = ["assemble"]

_RELAY_LINGER_MS: Final = 5
"""The relay waits this long for more events: a round costs as much as ten requests."""

_DEAD_LETTER_RETENTION: Final = timedelta(days=14)
"""Dead letters may contain customers' texts, and an erasure does not find a truncated one."""


def assemble(settings: Settings, db: Database) -> Sequence[Part]:
    """Build the parts, in the order in which they start."""
    keys = NumberKeys(settings.number_secret.get_secret_value())
    service = Service(
        "intake",
        settings,
        db,
        relay_linger_ms=_RELAY_LINGER_MS,
        dead_letters_kept=_DEAD_LETTER_RETENTION,
    )
    consumer: BatchConsumer[handlers.Item] = service.consumer(
        handlers.CONSUMES, handlers.decode, partial(handlers.handle_batch, keys=keys)
    )
    secrets = Secrets(settings.webhook_secrets_dir)
    submissions = Submissions(db, keys)
    dependencies = Dependencies(db, Authenticator(db), secrets, submissions)
    limits = Limits(settings.requests_max, settings.body_s_max)
    return service.parts(
        consumer,
        lambda routes: make_app(dependencies, routes, limits),
        dependencies.access,
        submissions,
        Maintenance(db, keys),
        tolerated=("partitions", "relay"),
    )
