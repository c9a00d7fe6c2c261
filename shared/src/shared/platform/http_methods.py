"""HEAD for every route with GET, and OPTIONS for every route (RFC 9110, 9.3.2 and 9.3.7).

Before a sender delivers events it asks for permission by OPTIONS (CloudEvents HTTP Webhooks 1.0,
"Abuse protection"). The response always grants it: deliveries need a key or a signature anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Methods", "methods_at"]

_ORIGIN: Final = "webhook-request-origin"
_UNLIMITED: Final = "*"


class Methods:
    """Answers OPTIONS, and answers HEAD as GET without content.

    ``deliveries`` are prefixes of the paths that accept events.
    """

    def __init__(self, app: ASGIApp, deliveries: Sequence[str] = ()) -> None:
        self._app = app
        self._deliveries = tuple(deliveries)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD and OPTIONS; pass on all else, also OPTIONS of an unknown path (404)."""
        match scope.get("method"):
            case "HEAD":
                await _without_content(self._app, scope, receive, send)
            case "OPTIONS" if allowed := methods_at(scope["app"].routes, scope):
                await self._options(scope, allowed)(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    def _options(self, scope: Scope, allowed: Iterable[str]) -> Response:
        headers = {"allow": ", ".join(sorted(allowed))}
        origin = Headers(scope=scope).get(_ORIGIN)
        if origin and scope["path"].startswith(self._deliveries):
            headers |= {"webhook-allowed-origin": origin, "webhook-allowed-rate": _UNLIMITED}
        return Response(headers=headers)


def methods_at(routes: Iterable[BaseRoute], scope: Scope) -> set[str]:
    """Return all methods of a path (RFC 9110, 10.2.1); Starlette returns only its first route's."""
    there = (route for route in _flat(routes) if route.matches(scope)[0] is not Match.NONE)
    methods = {method for route in there for method in route.methods or ()}
    if "GET" in methods:
        methods.add("HEAD")
    return methods | {"OPTIONS"} if methods else methods


def _flat(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Yield every route, including those of included routers, which FastAPI nests."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _flat(included.routes)


async def _without_content(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer HEAD as GET, but drop the content; a stream ends after its headers."""
    is_begun = False

    async def head_only(message: Message) -> None:
        nonlocal is_begun
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            is_begun = True

    async def until_begun() -> Message:
        return {"type": "http.disconnect"} if is_begun else await receive()

    await app({**scope, "method": "GET"}, until_begun, head_only)
