"""Limits of every HTTP API: concurrent requests, and the size, nesting and arrival time of bodies.

Pure ASGI, so that a refused request costs next to nothing. A refusal is a problem document.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.basics.errors import Poison
from shared.events.codec import DEPTH_MAX, VALUE_BYTES_MAX, read_json
from shared.platform.http import OPS_PATHS, refusal
from shared.platform.http_input import fault_of_body
from shared.platform.telemetry import REQUESTS_IN_PROGRESS

__all__ = ["DEFAULT_LIMITS", "BodyLimits", "ConcurrencyLimit", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests may run at once, and how long a body may take to arrive.

    ``uncounted`` paths are always answered: limit such a path in another way.
    """

    requests_max: int = 256
    body_s_max: float = 10.0
    uncounted: frozenset[str] = OPS_PATHS


DEFAULT_LIMITS: Final = Limits()
"""The limits of a service that sets none of its own."""


class ConcurrencyLimit:
    """Refuses requests while too many are in progress: bounds memory, keeps the others fast.

    Health, readiness and metrics are always answered, so that operators can see the load.
    """

    def __init__(self, app: ASGIApp, limits: Limits = DEFAULT_LIMITS) -> None:
        self._app = app
        self._requests_max = limits.requests_max
        self._uncounted = limits.uncounted
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with 503."""
        if scope["type"] != "http" or scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
        elif self._requests >= self._requests_max:
            detail = "too many requests at once; send it again in a second"
            answer = refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry_after_s=1)
            await answer(scope, receive, send)
        else:
            self._count(1)
            try:
                await self._app(scope, receive, send)
            finally:
                self._count(-1)

    def _count(self, more: int) -> None:
        self._requests += more
        REQUESTS_IN_PROGRESS.set(self._requests)


class BodyLimits:
    """Reads the whole body before the app; refuses what is too large, too slow or too deep."""

    def __init__(self, app: ASGIApp, wait_s_max: float = DEFAULT_LIMITS.body_s_max) -> None:
        self._app = app
        self._wait_s_max = wait_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the body on, or refuse with 413, 408, 415 or 400."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(scope, receive)
        if isinstance(body, JSONResponse):
            await body(scope, receive, send)
        elif body is not None:
            await self._app(scope, _once(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | JSONResponse | None:
        """Return the body or the refusal; None when the client has disconnected."""
        if _announced_bytes(scope) > VALUE_BYTES_MAX:
            return _too_large()
        try:
            async with asyncio.timeout(self._wait_s_max):
                body = await _collected(receive)
        except TimeoutError:
            detail = f"the body did not arrive within {self._wait_s_max:g} s; send it again"
            return refusal(HTTPStatus.REQUEST_TIMEOUT, detail, close=True)
        if body is None:
            return None
        if len(body) > VALUE_BYTES_MAX:
            return _too_large()
        return fault_of_body(Headers(scope=scope), body) or _shallow(body)


def _announced_bytes(scope: Scope) -> int:
    announced = Headers(scope=scope).get("content-length", "")
    return int(announced) if announced.isdecimal() else 0


async def _collected(receive: Receive) -> bytes | None:
    """Read the body, or until it exceeds the limit; None when the client has disconnected."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > VALUE_BYTES_MAX or not message.get("more_body", False):
            return b"".join(parts)


def _shallow(body: bytes) -> bytes | JSONResponse:
    """Refuse a body that is nested too deep; one with few brackets needs no parsing to pass."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return body
    try:
        read_json(body)
    except Poison as e:
        return refusal(HTTPStatus.BAD_REQUEST, e.detail, faults={"body": e.detail})
    return body


def _once(body: bytes, receive: Receive) -> Receive:
    """Make a `receive` that returns ``body`` first, then what the given `receive` returns."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


def _too_large() -> JSONResponse:
    detail = f"a body has at most {VALUE_BYTES_MAX // 1024} KiB; leave out what is not needed"
    return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, close=True)
