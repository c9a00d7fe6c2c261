"""What is checked of every HTTP request before a route reads it: target, media type, coding, text.

A refusal is a problem document that names the part of the request, its fault and the remedy.
"""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, override

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.basics.text import fault_in_json, fault_of_url_part, may_hide_bad_text
from shared.platform.http import refusal

__all__ = ["JSON", "JsonRoute", "TargetCheck", "check_media_type", "fault_of_body", "media_type_of"]

JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_UTF8: Final = frozenset({"", "utf-8", "utf8", "us-ascii"})
_FORM_NUL: Final = "the form holds a NUL character; leave it out"

type _Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class TargetCheck:
    """Refuses a path or query with text that cannot be kept, before any route is looked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with 400."""
        if scope["type"] != "http" or (faults := _faults_of_target(scope)) == {}:
            await self._app(scope, receive, send)
            return
        detail = "; ".join(f"{part}: {fault}" for part, fault in faults.items())
        answer = refusal(HTTPStatus.BAD_REQUEST, detail, faults=faults)
        await answer(scope, receive, send)


class JsonRoute(APIRoute):
    """A route whose body, if it has one, is JSON of texts that can be kept."""

    @override
    def get_route_handler(self) -> _Handle:
        """Check the request before FastAPI reads it."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            check_media_type(request.headers, JSON)
            _check_text(await request.body())
            return await handle(request)

        return checked


def media_type_of(headers: Headers) -> tuple[str, str]:
    """Read a body's media type and its charset, both in small letters, empty where not named."""
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    named = dict(p.strip().partition("=")[::2] for p in parameters)
    return kind.strip(), named.get("charset", "").strip('" ')


def check_media_type(headers: Headers, *taken: str) -> None:
    """Raise HTTPException: 415 for a body of another media type, or in another charset."""
    kind, charset = media_type_of(headers)
    known = kind in taken or (JSON in taken and kind.endswith("+json"))
    if known and charset in _UTF8:
        return
    sent = f"not {kind}" if kind else "this has none"
    fault = f"in UTF-8, not {charset}" if known else sent
    raise HTTPException(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"send `content-type: {' or '.join(taken)}`, {fault}",
        headers={"accept": ", ".join(taken)},
    )


def fault_of_body(headers: Headers, body: bytes) -> JSONResponse | None:
    """Refuse a compressed body, and a form with a text that cannot be kept."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        detail = f"content-encoding: {coding} is not taken; send the body as it is"
        answer = refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
        answer.headers["accept-encoding"] = "identity"
        return answer
    if media_type_of(headers)[0] == _FORM and (b"%00" in body or b"\0" in body):
        return refusal(HTTPStatus.BAD_REQUEST, _FORM_NUL, faults={"body": _FORM_NUL})
    return None


def _faults_of_target(scope: Scope) -> dict[str, str]:
    parts = {"path": scope["raw_path"], "query": scope["query_string"]}
    return {name: fault for name, raw in parts.items() if (fault := fault_of_url_part(raw))}


def _check_text(body: bytes) -> None:
    """Raise RequestValidationError for the first text that cannot be kept."""
    if not may_hide_bad_text(body):
        return
    try:
        document = json.loads(body)
    except ValueError:
        return  # what is no JSON is answered as that
    if (found := fault_in_json(document)) is not None:
        place, fault = found
        error = {"type": "value_error", "loc": ("body", *place), "msg": fault}
        raise RequestValidationError([error])
