"""What the HTTP doors of all services have in common: every error is a problem document.

RFC 9457; a refused request has every bad field named.
"""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from shared.errors import Transient
from shared.http import problem
from shared.limits import Bodies, InHand

__all__ = ["make_api"]


def make_api(title: str, routes: list[BaseRoute], guards: Sequence[Middleware] = ()) -> FastAPI:
    """Build an app that has ``routes``, keeps to its limits, and answers errors as problems.

    ``guards`` decide who is served before any of a body is read.
    """
    limits = [Middleware(InHand), *guards, Middleware(Bodies)]
    app = FastAPI(title=title, docs_url=None, redoc_url=None, routes=routes, middleware=limits)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _failed)
    app.add_exception_handler(Transient, _away)
    return app


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    faults = [
        {"field": ".".join(str(p) for p in fault["loc"][1:]) or "body", "fault": fault["msg"]}
        for fault in error.errors()
    ]
    unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
    status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.UNPROCESSABLE_ENTITY
    detail = "; ".join(f"{fault['field']}: {fault['fault']}" for fault in faults)
    return problem(status, detail, errors=faults)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    return problem(HTTPStatus(error.status_code), error.detail)


async def _away(_: Request, __: Exception) -> JSONResponse:
    detail = "nothing was taken; send the same request again"
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    answer.headers["retry-after"] = "1"
    return answer
