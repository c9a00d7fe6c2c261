"""What the HTTP doors of all services have in common: errors are problems, `/docs` explains.

RFC 9457; a refused request has every bad field named. The OpenAPI document says so, too: what can
befall any request is declared here, what is particular to a route is declared there by `problems`.
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
from shared.platform.limits import DEFAULT_LIMITS, BodyLimits, ConcurrencyLimit, Limits

__all__ = [
    "EXAMPLE_TICKET_ID",
    "IDEMPOTENCY_KEY",
    "IDEMPOTENCY_KEY_PATTERN",
    "FaultyRequest",
    "Problem",
    "TicketId",
    "TraceContext",
    "example_response",
    "make_api",
    "problems",
]

EXAMPLE_TICKET_ID: Final = str(ticket_id_of("app-form", "A-1001"))
"""The ticket that examples speak of."""
_JSON: Final = "application/json"
_MEDIA_TYPE: Final = "application/problem+json"
_OURS: Final = "/v1/"
_WORD: Final = re.compile(r"[/:]")
_BODY: Final = "body"
_SCHEMAS: Final = "#/components/schemas/"
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
_AWAY: Final = "nothing was taken; send the same request again"
_RETRY_AFTER_S: Final = 1
_RETRY_AFTER: Final = {
    "description": "Seconds to wait.",
    "schema": {"type": "integer", "examples": [_RETRY_AFTER_S]},
}
_CHALLENGE: Final = {
    "description": "How to show a key, and what is wrong with the one that was shown (RFC 6750).",
    "schema": {"type": "string", "examples": ['Bearer realm="premium-support"']},
}
_RATE_LIMIT: Final = {
    "RateLimit-Policy": {
        "description": "How many requests (`q`) a key may send in how many seconds (`w`).",
        "schema": {"type": "string", "examples": ['"key";q=200;w=2']},
    },
    "RateLimit": {
        "description": "How many are left (`r`), and in how many seconds (`t`) there is one more.",
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
    HTTPStatus.FORBIDDEN: "this key lacks the scope that this needs",
    HTTPStatus.TOO_MANY_REQUESTS: "this key may ask 100 times a second, 200 at once; wait 1 s",
}
_UNREAD: Final = {
    HTTPStatus.REQUEST_TIMEOUT: "the body did not arrive within 10 s; send it again",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "a body has at most 256 KiB; leave out what nobody reads",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "send `content-type: application/json`, not text/plain",
}
_BAD_TARGET: Final = {HTTPStatus.BAD_REQUEST: "path: holds a NUL character; leave it out"}
_NOWHERE: Final = "Not Found"
_DESCRIPTION: Final = (
    "Answers are JSON, errors problem documents (RFC 9457). Instants are RFC 3339 in UTC. Below"
    " `/v1/` every request shows a key, `Authorization: Bearer pk_…`, unless it is signed."
)


type TicketId = Annotated[
    UUID,
    Path(
        description="As intake's answer and every event name it.",
        openapi_examples={"of the examples": {"value": EXAMPLE_TICKET_ID}},
    ),
]


async def _context(
    traceparent: Annotated[
        str | None,
        Header(
            description="W3C Trace Context: goes along with all that comes of the request.",
            examples=["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        ),
    ] = None,
    tracestate: Annotated[
        str | None,
        Header(
            description="What vendors of tracing add to it; goes along.",
            examples=["vendor=00f067aa0ba902b7"],
        ),
    ] = None,
) -> str:
    return context_or_new(traceparent, tracestate)


type TraceContext = Annotated[str, Depends(_context)]
"""The trace context of a request; a new one where it brings none."""


IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IDEMPOTENCY_KEY_PATTERN: Final = (
    r'^("(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"|[\x21\x23-\x7e]{1,255})$'
)
"""The IETF draft's: a String of structured fields (RFC 9651). Many send it without its quotes."""


class Problem(BaseModel):
    """Why there is no other answer (RFC 9457)."""

    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What was wrong with this request, for people.")


class Fault(BaseModel):
    """One bad field, by its path in the request, and what is wrong with it."""

    field: str
    fault: str


class FaultyRequest(Problem):
    """A problem with the request itself: every bad field is named."""

    errors: list[Fault]


def make_api(
    service: str,
    routes: list[BaseRoute],
    guards: Sequence[Middleware] = (),
    limits: Limits = DEFAULT_LIMITS,
    deliveries: Sequence[str] = (),
) -> FastAPI:
    """Build an app that has ``routes``, keeps to its limits, and shows itself at `/docs`.

    Errors are problems; ``guards`` decide who is served before any of a body is read. At paths that
    begin as ``deliveries`` do, senders of events are told that they are welcome.
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
    return app


def problems(details: Mapping[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    """Declare the problems that a route answers with: their statuses, and what each would say."""
    return {
        status.value: _answer(
            Problem, Problem(title=title_of(status), status=status.value, detail=detail)
        )
        for status, detail in details.items()
    }


def example_response(
    example: object, status: HTTPStatus = HTTPStatus.OK
) -> dict[int | str, dict[str, Any]]:
    """Show what a route answers with when all is well.

    An example with nulls stands here: FastAPI leaves them out of those that a model brings.
    """
    return {status.value: {"content": {_JSON: {"example": example}}}}


class _Api(FastAPI):
    @override
    def openapi(self) -> dict[str, Any]:
        """Declare, once, what FastAPI does not know of."""
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
    """Put our problems where FastAPI's own are declared, which nobody gets to see."""
    known = document.setdefault("components", {}).setdefault("schemas", {})
    paths = document["paths"]
    document["paths"] = {path: paths[path] for path in sorted(paths, key=_is_everybodys)}
    for path, operations in paths.items():
        for operation in operations.values():
            if not _is_everybodys(path):
                operation.setdefault("tags", [_WORD.split(path.removeprefix(_OURS))[0]])
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


def _is_everybodys(path: str) -> bool:
    """Tell what a service is asked from what every service is asked, which comes last."""
    return not path.startswith(_OURS)


def _declare(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Declare what can befall any request: it is refused, or the database is away."""
    responses = operation["responses"]
    _declare_all(responses, _UNKEYED if is_keyed(operation) else {})
    if any(_may_lead_nowhere(parameter) for parameter in operation.get("parameters", ())):
        _declare_all(responses, {HTTPStatus.NOT_FOUND: _NOWHERE})
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
    """Declare problems, but for those of which the route says more itself."""
    for status, answer in problems(details).items():
        headers = _HEADERS.get(int(status))
        responses.setdefault(str(status), answer | ({"headers": headers} if headers else {}))


def _may_lead_nowhere(parameter: Mapping[str, Any]) -> bool:
    """Tell the part of a path that may be any text: with a line break, it is no path of ours."""
    return parameter["in"] == "path" and "format" not in parameter["schema"]


def _bad_field(operation: dict[str, Any], schemas: Mapping[str, Any]) -> Fault:
    """Pick a field of this request, to show how it would be named."""
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    body = content.get("schema", {}).get("$ref", "").removeprefix(_SCHEMAS)
    for name in schemas.get(body, {}).get("required", ()):
        return Fault(field=name, fault="Field required")
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].get("format") == "uuid":
            return Fault(field=parameter["name"], fault="Input should be a valid UUID")
    return Fault(field=_BODY, fault="Field required")


def _show_whole(document: dict[str, Any], route: APIRoute) -> None:
    """Put examples back as they were given: FastAPI takes the nulls out of them."""
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
    """Declare what `_refused` answers."""
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
    faults = [Fault(field=_place(fault), fault=_said(fault, error)) for fault in error.errors()]
    faulty = _faulty(status, faults)
    return JSONResponse(faulty.model_dump(), status.value, media_type=_MEDIA_TYPE)


def _place(fault: Mapping[str, Any]) -> str:
    """Name the field; of what is no JSON, FastAPI names a position instead."""
    if fault["type"] == "json_invalid":
        return _BODY
    return ".".join(str(part) for part in fault["loc"][1:]) or _BODY


def _said(fault: Mapping[str, Any], error: RequestValidationError) -> str:
    """Say what is wrong; of what is no JSON, where it stops being so, as editors count."""
    if fault["type"] != "json_invalid":
        return str(fault["msg"])
    before = str(error.body)[: fault["loc"][-1]]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    what = fault["ctx"]["error"]
    return f"is not JSON at line {line}, column {column}: {what}; send one JSON document"


async def _failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    status = HTTPStatus(error.status_code)
    unreadable = status is HTTPStatus.BAD_REQUEST  # FastAPI's own answer to what is no UTF-8
    answer = problem(status, error.detail, {_BODY: error.detail} if unreadable else None)
    answer.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = methods_at(request.app.routes, request.scope)
        answer.headers["allow"] = ", ".join(sorted(allowed))
    return answer


async def _away(_: Request, __: Exception) -> JSONResponse:
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY)
    answer.headers["retry-after"] = str(_RETRY_AFTER_S)
    return answer
