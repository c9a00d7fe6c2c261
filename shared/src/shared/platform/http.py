"""The HTTP server of every service, its /health, /ready and /metrics, and problem documents."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Final, Literal, override

import uvicorn
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from shared.platform.header_limits import HeaderLimits
from shared.platform.readings import Reading, read_all
from shared.platform.telemetry import REFUSED

__all__ = [
    "OPS_PATHS",
    "Check",
    "HttpServer",
    "ops_routes",
    "problem",
    "refusal",
    "title_of",
]

OPS_PATHS: Final = frozenset({"/health", "/ready", "/metrics"})
_CHECK_S_MAX: Final = 2
_CLOSE_S_MAX: Final = 3
_RENAMED: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}

type Check = Callable[[], Awaitable[str | None]]
"""Returns the fault as a text for the operator, or None when all is well."""


class Health(BaseModel):
    """The process answers requests; dependencies are not checked."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ready", "degraded", "not ready"] = Field(
        description="Degraded: it takes requests, and what they cause is delayed."
    )
    faults: dict[str, str] = Field(
        description="Faults, by the part that reports them; empty when ready.",
        examples=[{}, {"relay": "silent for 25 s"}],
    )


def ops_routes(
    checks: Mapping[str, Check],
    readings: Sequence[Reading] = (),
    *,
    tolerated: Collection[str] = (),
) -> list[BaseRoute]:
    """Serve health (the process answers), readiness (it can work) and metrics.

    A fault of one of the ``tolerated`` checks degrades the service, which stays ready.
    """

    async def check_health() -> Health:
        """Confirm that the process is running. A supervisor restarts it if this fails."""
        return Health()

    async def check_readiness(response: Response) -> Readiness:
        """Check the database, the consumer and the relay."""
        faults = {name: fault for name, check in checks.items() if (fault := await _ask(check))}
        if not faults:
            return Readiness(status="ready", faults=faults)
        if faults.keys() <= set(tolerated):
            return Readiness(status="degraded", faults=faults)
        response.status_code = 503
        return Readiness(status="not ready", faults=faults)

    async def read_metrics() -> Response:
        """Return the metrics in Prometheus' text format; gauges are read from their source now."""
        await read_all(readings)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    unready = {"model": Readiness, "description": "A dependency is unavailable."}
    return [
        _ops_route("/health", check_health, "Is the process alive?"),
        _ops_route("/ready", check_readiness, "Can the service work?", responses={503: unready}),
        _ops_route(
            "/metrics", read_metrics, "Metrics for Prometheus", response_class=PlainTextResponse
        ),
    ]


def _ops_route(
    path: str,
    endpoint: Callable[..., Awaitable[object]],
    summary: str,
    *,
    response_class: type[Response] = JSONResponse,
    responses: dict[int | str, dict[str, object]] | None = None,
) -> APIRoute:
    return APIRoute(
        path,
        endpoint,
        summary=summary,
        operation_id=endpoint.__name__,
        tags=["operations"],
        response_class=response_class,
        responses=responses,
    )


def title_of(status: HTTPStatus) -> str:
    """Return the reason phrase of a status as in RFC 9110; Python's phrases vary by version."""
    return _RENAMED.get(status) or status.phrase


def problem(
    status: HTTPStatus, detail: str, faults: Mapping[str, str] | None = None
) -> JSONResponse:
    """Make a problem document (RFC 9457); ``faults`` are keyed by field."""
    content: dict[str, object] = {
        "title": title_of(status),
        "status": status.value,
        "detail": detail,
    }
    if faults is not None:
        content["errors"] = [{"field": name, "fault": fault} for name, fault in faults.items()]
    return JSONResponse(content, status.value, media_type="application/problem+json")


def refusal(
    status: HTTPStatus,
    detail: str,
    *,
    faults: Mapping[str, str] | None = None,
    retry_after_s: int | None = None,
    close: bool = False,
) -> JSONResponse:
    """Refuse with a problem document; ``close`` the connection if a body is left unread."""
    REFUSED.labels(status.value).inc()
    answer = problem(status, detail, faults)
    if retry_after_s is not None:
        answer.headers["retry-after"] = str(retry_after_s)
    if close:
        answer.headers["connection"] = "close"
    return answer


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_S_MAX):
            return await check()
    except Exception as e:  # noqa: BLE001 - any error means: not ready
        return f"{type(e).__name__}: {e}"


class _Server(uvicorn.Server):
    """Does not handle signals: the lifecycle does."""

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
                http=HeaderLimits,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=_CLOSE_S_MAX,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.listening: socket | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        config = self._server.config
        self.listening = await asyncio.to_thread(config.bind_socket)
        # Connections inherit TCP_NODELAY, without which each response body waits 40 ms for an ACK.
        # asyncio sets TCP_NODELAY on sockets with an explicit protocol; uvicorn's have none.
        self.listening.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self.listening.listen(config.backlog)  # clients that connect before `serve` wait here
        self._task = asyncio.create_task(self._server.serve([self.listening]), name="http")

    async def stop(self) -> None:
        """Accept no more requests and finish those in progress."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task
