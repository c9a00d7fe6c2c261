"""Signed webhooks: other systems' events, verified and read as documents of ours."""

from intake.api.webhooks import Erase, Outcome, Submit, routes
from intake.domain.webhook_mapping import Erasure, Ignored, Refusal, Taken
from intake.store.webhooks import connection
from intake.webhooks.reading import CONNECTION, meaning, park
from intake.webhooks.secrets import Secrets

__all__ = [
    "CONNECTION",
    "Erase",
    "Erasure",
    "Ignored",
    "Outcome",
    "Refusal",
    "Secrets",
    "Submit",
    "Taken",
    "connection",
    "meaning",
    "park",
    "routes",
]
