"""The common base of all HTTP APIs: problem documents, limits, the OpenAPI document, `/docs`.

Errors are problem documents (RFC 9457); one for an invalid request names every bad field. This
module adds to the OpenAPI document the errors that any request can get; a route declares its own
by `problems`.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import metadata
from typing import Annotated, Any, Final, override
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from shared.basics.errors import Transient
from shared.basics.tracing import context_or_new
from shared.events import ticket_id_of
from shared.platform.api_document import (
    CONTACT,
    LICENSE,
    SERVERS,
    describe_tags,
    is_keyed,
    open_to_all,
    require_constants,
    used_schemas,
)
from shared.platform.api_page import page_routes
from shared.platform.http import problem, title_of
from shared.platform.http_input import JsonRoute, TargetCheck
from shared.platform.http_methods import Methods, methods_at
from shared.platform.idempotency import HEADER, InProgress, KeyConflict, OtherRequest
from shared.platform.limits import DEFAULT_LIMITS, BodyLimits, ConcurrencyLimit, Limits

__all__ = [
    "EXAMPLE_TICKET_ID",
    "FaultyRequest",
    "Problem",
    "TicketId",
    "TraceContext",
    "example_response",
    "make_api",
    "problems",
]

EXAMPLE_TICKET_ID: Final = str(ticket_id_of("app-form", "A-1001"))
"""The ticket id in all examples."""
_JSON: Final = "application/json"
_MEDIA_TYPE: Final = "application/problem+json"
_OURS: Final = "/v1/"
_TAG_END: Final = re.compile(r"[/:]")
_BODY: Final = "body"
_SCHEMAS: Final = "#/components/schemas/"
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
_AWAY: Final = "nothing was stored; send the same request again"
_RETRY_AFTER_S: Final = 1
_SOON: Final = {"retry-after": str(_RETRY_AFTER_S)}
_RETRY_AFTER: Final = {
    "description": "Seconds to wait.",
    "schema": {"type": "integer", "examples": [_RETRY_AFTER_S]},
}
_CHALLENGE: Final = {
    "description": "How to send a key, and what is wrong with the one that was sent (RFC 6750).",
    "schema": {"type": "string", "examples": ['Bearer realm="premium-support"']},
}
_RATE_LIMIT: Final = {
    "RateLimit-Policy": {
        "description": "How many requests (`q`) a key may send in how many seconds (`w`).",
        "schema": {"type": "string", "examples": ['"key";q=200;w=2']},
    },
    "RateLimit": {
        "description": "Requests left (`r`), and the seconds (`t`) until there is one more.",
        "schema": {"type": "string", "examples": ['"key";r=0;t=1']},
    },
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": _CHALLENGE},
    403: {"WWW-Authenticate": _CHALLENGE},
    429: {"Retry-After": _RETRY_AFTER, **_RATE_LIMIT},
    503: {"Retry-After": _RETRY_AFTER},
}
_UNKEYED: Final = {
    HTTPStatus.UNAUTHORIZED: "send a key that is in force as `Authorization: Bearer pk_…`",
    HTTPStatus.FORBIDDEN: "this key lacks the scope that this request needs",
    HTTPStatus.TOO_MANY_REQUESTS: (
        "this key may send 100 requests a second, 200 at once; wait 1 s"
    ),
}
_UNREAD: Final = {
    HTTPStatus.REQUEST_TIMEOUT: "the body did not arrive within 10 s; send it again",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "a body has at most 256 KiB; leave out what is not needed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "send `content-type: application/json`, not text/plain",
}
_IN_PROGRESS: Final = {HTTPStatus.CONFLICT: str(InProgress())}
_BAD_TARGET: Final = {HTTPStatus.BAD_REQUEST: "path: holds a NUL character; leave it out"}
_NOT_FOUND: Final = "Not Found"
_DESCRIPTION: Final = (
    "Responses are JSON, errors are problem documents (RFC 9457). Instants are RFC 3339 in UTC."
    " Requests below `/v1/` need a key, `Authorization: Bearer pk_…`, unless they are signed."
)


type TicketId = Annotated[
    UUID,
    Path(
        description="The ticket's id, as in intake's response and in every event.",
        openapi_examples={"the ticket of all examples": {"value": EXAMPLE_TICKET_ID}},
    ),
]


async def _context(
    traceparent: Annotated[
        str | None,
        Header(
            description="W3C Trace Context: attached to all events that the request causes.",
            examples=["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        ),
    ] = None,
    tracestate: Annotated[
        str | None,
        Header(
            description="Vendor-specific part of the trace context; attached as well.",
            examples=["vendor=00f067aa0ba902b7"],
        ),
    ] = None,
) -> str:
    return context_or_new(traceparent, tracestate)


type TraceContext = Annotated[str, Depends(_context)]
"""The trace context of a request; a new one if it has none."""


class Problem(BaseModel):
    """An error (RFC 9457)."""

    title: str = Field(description="The name of the status.")
    status: int
    detail: str = Field(description="What is wrong with this request, as a text for people.")


class Fault(BaseModel):
    """One bad field, by its path in the request, and its fault."""

    field: str
    fault: str


class FaultyRequest(Problem):
    """An invalid request, with every bad field."""

    errors: list[Fault]


def make_api(
    service: str,
    routes: list[BaseRoute],
    guards: Sequence[Middleware] = (),
    limits: Limits = DEFAULT_LIMITS,
    deliveries: Sequence[str] = (),
) -> FastAPI:
    """Build an app with ``routes``, request limits, problem documents and the page `/docs`.

    ``guards`` authenticate a request before any of its body is read. ``deliveries`` are prefixes of
    the paths that accept CloudEvents webhooks: see `http_methods`.
    """
    about = metadata(f"premium-support-{service}")
    app = _Api(
        title=service,
        version=about["Version"],
        summary=about["Summary"],
        description=_DESCRIPTION,
        contact=CONTACT,
        license_info=LICENSE,
        servers=SERVERS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=[*routes, *page_routes(service)],
        middleware=[
            Middleware(TargetCheck),
            Middleware(Methods, deliveries=deliveries),
            Middleware(ConcurrencyLimit, limits=limits),
            *guards,
            Middleware(BodyLimits, wait_s_max=limits.body_s_max),
        ],
        generate_unique_id_function=_operation_id,
    )
    app.router.route_class = JsonRoute
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _failed)
    app.add_exception_handler(Transient, _away)
    app.add_exception_handler(KeyConflict, _conflict)
    return app


def problems(details: Mapping[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    """Declare the errors of a route for OpenAPI: each status with an example of its detail."""
    return {
        status.value: _answer(
            Problem, Problem(title=title_of(status), status=status.value, detail=detail)
        )
        for status, detail in details.items()
    }


def example_response(
    example: object, status: HTTPStatus = HTTPStatus.OK
) -> dict[int | str, dict[str, Any]]:
    """Declare the example of a successful response for OpenAPI.

    FastAPI drops nulls from examples that a model declares, but keeps those that a route declares.
    """
    return {status.value: {"content": {_JSON: {"example": example}}}}


class _Api(FastAPI):
    @override
    def openapi(self) -> dict[str, Any]:
        """Complete FastAPI's document, once."""
        known = self.openapi_schema
        document = super().openapi()
        if document is not known:
            _complete(document)
            for route in self.routes:
                if isinstance(route, APIRoute):
                    _show_whole(document, route)
        return document


def _operation_id(route: APIRoute) -> str:
    return route.name


def _complete(document: dict[str, Any]) -> None:
    """Replace FastAPI's error schemas by ours, and add tags, common errors and security."""
    known = document.setdefault("components", {}).setdefault("schemas", {})
    paths = document["paths"]
    document["paths"] = {path: paths[path] for path in sorted(paths, key=_is_common)}
    for path, operations in paths.items():
        for operation in operations.values():
            if not _is_common(path):
                operation.setdefault("tags", [_TAG_END.split(path.removeprefix(_OURS))[0]])
                _declare(operation, known)
            open_to_all(operation)
            _declare_all(operation["responses"], _BAD_TARGET)
    document["tags"] = describe_tags(document)
    _, ours = models_json_schema(
        [(Problem, "serialization"), (FaultyRequest, "serialization")],
        ref_template=_SCHEMAS + "{model}",
    )
    if taken := known.keys() & ours["$defs"]:
        raise TypeError(f"{', '.join(sorted(taken))}: problems are declared by `problems`; rename")
    schemas = known | ours["$defs"]
    for schema in schemas.values():
        require_constants(schema)
    document["components"]["schemas"] = used_schemas(document["paths"], schemas)


def _is_common(path: str) -> bool:
    """Return whether every service has this path; such paths are listed last."""
    return not path.startswith(_OURS)


def _declare(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Declare the errors of every route: a refused request, and an unavailable database."""
    responses = operation["responses"]
    _declare_all(responses, _UNKEYED if is_keyed(operation) else {})
    if any(_may_not_match(parameter) for parameter in operation.get("parameters", ())):
        _declare_all(responses, {HTTPStatus.NOT_FOUND: _NOT_FOUND})
    if any(parameter["name"] == HEADER for parameter in operation.get("parameters", ())):
        _declare_all(responses, _IN_PROGRESS)
    if "requestBody" in operation:
        _declare_all(responses, _UNREAD)
        unreadable = Fault(field=_BODY, fault="JSON decode error")
        responses.setdefault("400", _refusal(HTTPStatus.BAD_REQUEST, unreadable))
    if _is_fastapis_own(responses.get("422")):
        bad = _bad_field(operation, schemas)
        responses["422"] = _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, bad)
    _declare_all(responses, {HTTPStatus.SERVICE_UNAVAILABLE: _AWAY})
    operation["responses"] = {status: responses[status] for status in sorted(responses)}


def _declare_all(responses: dict[str, Any], details: Mapping[HTTPStatus, str]) -> None:
    """Declare errors, except for statuses that the route declares itself."""
    for status, answer in problems(details).items():
        headers = _HEADERS.get(int(status))
        responses.setdefault(str(status), answer | ({"headers": headers} if headers else {}))


def _may_not_match(parameter: Mapping[str, Any]) -> bool:
    """Return whether a path parameter may hold a line break, with which no route matches: 404."""
    return parameter["in"] == "path" and "format" not in parameter["schema"]


def _bad_field(operation: dict[str, Any], schemas: Mapping[str, Any]) -> Fault:
    """Return an example fault with a field that this request has."""
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    body = content.get("schema", {}).get("$ref", "").removeprefix(_SCHEMAS)
    for name in schemas.get(body, {}).get("required", ()):
        return Fault(field=name, fault="Field required")
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].get("format") == "uuid":
            return Fault(field=parameter["name"], fault="Input should be a valid UUID")
    return Fault(field=_BODY, fault="Field required")


def _show_whole(document: dict[str, Any], route: APIRoute) -> None:
    """Restore a route's examples, from which FastAPI has removed nulls."""
    if not route.include_in_schema:
        return
    for method in route.methods or ():
        answers = document["paths"][route.path_format][method.lower()]["responses"]
        for status, given in route.responses.items():
            for kind, content in given.get("content", {}).items():
                answers[str(status)]["content"][kind] |= content


def _is_fastapis_own(response: dict[str, Any] | None) -> bool:
    schemas = [
        content.get("schema", {}) for content in (response or {}).get("content", {}).values()
    ]
    return any(schema.get("$ref") == f"{_SCHEMAS}HTTPValidationError" for schema in schemas)


def _refusal(status: HTTPStatus, fault: Fault) -> dict[str, Any]:
    """Declare the response of `_refused`."""
    return _answer(FaultyRequest, _faulty(status, [fault]))


def _answer(model: type[Problem], example: Problem) -> dict[str, Any]:
    content = {"schema": {"$ref": _SCHEMAS + model.__name__}, "example": example.model_dump()}
    return {"description": example.title, "content": {_MEDIA_TYPE: content}}


def _faulty(status: HTTPStatus, faults: list[Fault]) -> FaultyRequest:
    detail = "; ".join(f"{fault.field}: {fault.fault}" for fault in faults)
    return FaultyRequest(title=title_of(status), status=status.value, detail=detail, errors=faults)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
    status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.UNPROCESSABLE_ENTITY
    faults = [Fault(field=_place(fault), fault=_message(fault, error)) for fault in error.errors()]
    faulty = _faulty(status, faults)
    return JSONResponse(faulty.model_dump(), status.value, media_type=_MEDIA_TYPE)


def _place(fault: Mapping[str, Any]) -> str:
    """Return the path of the bad field; "body" for invalid JSON, not FastAPI's position."""
    if fault["type"] == "json_invalid":
        return _BODY
    return ".".join(str(part) for part in fault["loc"][1:]) or _BODY


def _message(fault: Mapping[str, Any], error: RequestValidationError) -> str:
    """Describe a fault; for invalid JSON with line and column, counted from 1."""
    if fault["type"] != "json_invalid":
        return str(fault["msg"])
    before = str(error.body)[: fault["loc"][-1]]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    what = fault["ctx"]["error"]
    return f"is not JSON at line {line}, column {column}: {what}; send one JSON document"


async def _failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    status = HTTPStatus(error.status_code)
    unreadable = (
        status is HTTPStatus.BAD_REQUEST
    )  # FastAPI's own response to a body that is not UTF-8
    answer = problem(status, error.detail, {_BODY: error.detail} if unreadable else None)
    answer.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = methods_at(request.app.routes, request.scope)
        answer.headers["allow"] = ", ".join(sorted(allowed))
    return answer


async def _away(request: Request, _: Exception) -> JSONResponse:
    return await _failed(request, HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY, _SOON))


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, KeyConflict)  # noqa: S101 - registered for it alone
    if isinstance(error, OtherRequest):
        return problem(error.status, str(error), {HEADER: str(error)})
    return await _failed(request, HTTPException(error.status, str(error), _SOON))
