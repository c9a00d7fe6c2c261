"""Signed webhooks: verifies events of other systems, and maps them to documents."""

from intake.domain.webhook_mapping import Erasure, Ignored, InvalidEvent, MappedDocument
from intake.store.webhooks import connection
from intake.webhooks.reading import CONNECTION, meaning, park
from intake.webhooks.secrets import Secrets

__all__ = [
    "CONNECTION",
    "Erasure",
    "Ignored",
    "InvalidEvent",
    "MappedDocument",
    "Secrets",
    "connection",
    "meaning",
    "park",
]
