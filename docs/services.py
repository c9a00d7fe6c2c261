"""The four services: their handlers, and their HTTP APIs without a running process."""

from importlib.util import find_spec
from typing import Final

from fastapi import FastAPI

import intake.api.app
import intake.handlers
import notifier.handlers
import router.api.app
import router.handlers
import sla_monitor.api.app
import sla_monitor.handlers
from intake.api.app import Dependencies
from intake.domain import NumberKeys
from intake.store.access import sources_of
from intake.submissions import Submissions
from intake.webhooks import Secrets
from router.domain.matching import default_rules
from router.service.routing import RoutingService
from router.store.access import specialists_of
from shared.platform.access import Authenticator
from shared.platform.api import make_api
from shared.platform.http import ops_routes
from shared.platform.postgres import Database
from sla_monitor.store.access import accounts_of

__all__ = ["HANDLERS", "app_of"]

HANDLERS: Final = {
    "intake": intake.handlers,
    "router": router.handlers,
    "sla-monitor": sla_monitor.handlers,
    "notifier": notifier.handlers,
}


def app_of(service: str) -> FastAPI:
    """Build the app that the service serves; without an API of its own, the common routes only."""
    package = service.replace("-", "_")
    routes = ops_routes({})
    if find_spec(f"{package}.api") is None:
        return make_api(service, routes)
    database = Database("", service=service)  # never connected
    if service == "intake":
        submissions = Submissions(database, NumberKeys(""))
        access = Authenticator(database, sources_of)
        parts = Dependencies(database, access, Secrets(None), submissions)
        return intake.api.app.make_app(parts, routes)
    if service == "router":
        access = Authenticator(database, specialists_of)
        return router.api.app.make_app(database, RoutingService(default_rules()), access, routes)
    access = Authenticator(database, accounts_of)
    return sla_monitor.api.app.make_app(database, access, routes)
