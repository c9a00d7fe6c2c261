"""Signed webhooks: other systems' events, verified and read as documents of ours."""

from intake.domain.webhook_mapping import Erasure, Ignored, Refusal, Taken
from intake.store.webhooks import connection
from intake.webhooks.reading import CONNECTION, meaning, park
from intake.webhooks.secrets import Secrets

__all__ = [
    "CONNECTION",
    "Erasure",
    "Ignored",
    "Refusal",
    "Secrets",
    "Taken",
    "connection",
    "meaning",
    "park",
]
