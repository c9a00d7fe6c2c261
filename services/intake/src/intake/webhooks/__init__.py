"""Signed webhooks: other systems' events, verified and read as documents of ours."""

from intake.webhooks.doors import Erase, Outcome, Submit, routes
from intake.webhooks.secrets import Secrets

__all__ = ["Erase", "Outcome", "Secrets", "Submit", "routes"]
