"""Signed webhooks: other systems' events, verified and read as documents of ours."""

from intake.webhooks.doors import Erase, Outcome, Submit, routes
from intake.webhooks.mapping import Erasure, Ignored, Refusal, Taken
from intake.webhooks.reading import CONNECTION, meaning, park
from intake.webhooks.secrets import Secrets
from intake.webhooks.store import connection

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
