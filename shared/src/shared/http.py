"""The small HTTP server of every service: /health, /ready, /metrics, and what it adds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, override

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from shared.heads import BoundedHeads

__all__ = ["OPS_PATHS", "HttpServer", "ops_routes", "problem"]

OPS_PATHS: Final = frozenset({"/health", "/ready", "/metrics"})
_CHECK_S_MAX: Final = 2
_CLOSE_S_MAX: Final = 3

type Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong, in words for the operator, or None."""


def ops_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """Serve health (the process answers), readiness (its servers do) and metrics."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        faults = {name: fault for name, check in checks.items() if (fault := await _ask(check))}
        status = "ready" if not faults else "not ready"
        return JSONResponse({"status": status, "faults": faults}, 503 if faults else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


def problem(status: HTTPStatus, detail: str, **more: object) -> JSONResponse:
    """Answer with a problem document (RFC 9457)."""
    content = {"title": status.phrase, "status": status.value, "detail": detail, **more}
    return JSONResponse(content, status.value, media_type="application/problem+json")


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_S_MAX):
            return await check()
    except Exception as e:  # noqa: BLE001 - whatever it is, it is why we are not ready
        return f"{type(e).__name__}: {e}"


class _Server(uvicorn.Server):
    """Leaves the signals alone: the lifecycle has them."""

    @override
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - uvicorn's own
        yield


class HttpServer:
    """Serves an ASGI app as a part of the lifecycle."""

    def __init__(self, app: Starlette, *, host: str, port: int) -> None:
        self._server = _Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                http=BoundedHeads,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=_CLOSE_S_MAX,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        config = self._server.config
        socket = await asyncio.to_thread(config.bind_socket)
        self._task = asyncio.create_task(self._server.serve([socket]), name="http")

    async def stop(self) -> None:
        """Take no more requests, finish those in hand."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task
