"""The HTTP API of notifier: the admin endpoints, and what every service has."""

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from shared.platform.access import Authenticator, Guard
from shared.platform.admin import admin_routes
from shared.platform.api import make_api
from shared.platform.postgres import Database

__all__ = ["make_app"]


def make_app(db: Database, access: Authenticator, routes: list[BaseRoute]) -> FastAPI:
    """Build the app; ``routes`` are those of every service, which need no key."""
    app = make_api("notifier", routes, [Middleware(Guard, access=access)])
    app.include_router(admin_routes("notifier", db))
    return app
