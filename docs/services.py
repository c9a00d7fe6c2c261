"""The four services: their handlers, and their HTTP APIs without a running process."""

from typing import Final

from fastapi import FastAPI

import intake.api.app
import intake.handlers
import notifier.api
import notifier.handlers
import router.api.app
import router.handlers
import sla_monitor.api.app
import sla_monitor.handlers
from intake.api.app import Dependencies
from intake.domain import NumberKeys
from intake.submissions import Submissions
from intake.webhooks import Secrets
from router.domain.matching import default_rules
from router.service.routing import RoutingService
from shared.platform.access import Authenticator
from shared.platform.http import ops_routes
from shared.platform.postgres import Database

__all__ = ["HANDLERS", "app_of"]

HANDLERS: Final = {
    "intake": intake.handlers,
    "router": router.handlers,
    "sla-monitor": sla_monitor.handlers,
    "notifier": notifier.handlers,
}


def app_of(
    service: str, database: Database | None = None, access: Authenticator | None = None
) -> FastAPI:
    """Build the app that the service serves; without a database it answers no request."""
    routes = ops_routes({})
    database = database or Database("", service=service)
    access = access or Authenticator(database)
    if service == "intake":
        submissions = Submissions(database, NumberKeys("unused"))
        parts = Dependencies(database, access, Secrets(None), submissions)
        return intake.api.app.make_app(parts, routes)
    if service == "router":
        return router.api.app.make_app(database, RoutingService(default_rules()), access, routes)
    if service == "notifier":
        return notifier.api.make_app(database, access, routes)
    return sla_monitor.api.app.make_app(database, access, routes)
