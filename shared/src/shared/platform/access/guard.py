"""ASGI middleware that requires an API key and applies its rate limit.

It runs before any of the body is read. Endpoints check a key's scopes by `require_scopes`.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.basics.errors import Transient
from shared.platform import api_keys as keys
from shared.platform.access.authenticator import Admission, Authenticator
from shared.platform.access.keys import Key, bearer_of
from shared.platform.http import refusal

__all__ = ["Guard", "check_scope", "forbidden", "require_scopes"]

_KEYED: Final = "/v1/"
"""Only these paths need a key. Others are public, or have sessions of their own."""
_TOO_MANY: Final = "too many webhooks at once; send it again in a second"
_NOT_IN_FORCE: Final = "send a key that is in force as `Authorization: Bearer pk_…`"
_MALFORMED: Final = "malformed API key: copy it again in full"
_UNAVAILABLE: Final = (
    "the key cannot be looked up now; nothing was stored, send the same request again"
)
_CHALLENGE: Final = 'Bearer realm="premium-support"'
_INVALID: Final = f'{_CHALLENGE}, error="invalid_token"'
"""RFC 6750, 3.1: the presented key is not valid. A request without a key gets no error code."""
_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="pk_…")
"""Declares the scheme in the OpenAPI document; the guard has read the header before."""


class Guard:
    """Passes on requests with a valid key, up to the key's rate limit.

    Requests to paths below ``signed`` carry a signature instead, which can only be checked once
    the body has arrived. Only ``unauthenticated_max`` such requests run at once, so that slow ones
    do not block requests with a key.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Authenticator,
        signed: str | None = None,
        unauthenticated_max: int = 0,
    ) -> None:
        self._app = app
        self._access = access
        self._signed = signed
        self._unauthenticated_max = unauthenticated_max
        self._unauthenticated = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with 401, 429, or 503 when the key cannot be looked up."""
        if scope["type"] != "http" or not scope["path"].startswith(_KEYED):
            await self._app(scope, receive, send)
            return
        if self._signed is not None and scope["path"].startswith(self._signed):
            await self._pass_unauthenticated(scope, receive, send)
            return
        admission = await self._admission(Headers(scope=scope).get("authorization"))
        if isinstance(admission, JSONResponse):
            await admission(scope, receive, send)
            return
        send = _with_rate_limit(admission, send)
        if admission.draw.allowed:
            scope.setdefault("state", {})["key"] = admission.key
            await self._app(scope, receive, send)
        else:
            await _too_fast(admission)(scope, receive, send)

    async def _pass_unauthenticated(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._unauthenticated >= self._unauthenticated_max:
            too_many = refusal(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MANY, retry_after_s=1)
            await too_many(scope, receive, send)
            return
        self._unauthenticated += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._unauthenticated -= 1

    async def _admission(self, authorization: str | None) -> Admission | JSONResponse:
        token = bearer_of(authorization)
        if token is None:
            return _unauthorized(_NOT_IN_FORCE, _CHALLENGE)
        presented = keys.read_key(token)
        if presented is None:
            return _unauthorized(_MALFORMED, _INVALID)
        try:
            admission = await self._access.authenticate(presented)
        except Transient:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, _UNAVAILABLE, retry_after_s=1)
        return admission or _unauthorized(_NOT_IN_FORCE, _INVALID)


def _unauthorized(detail: str, challenge: str) -> JSONResponse:
    answer = refusal(HTTPStatus.UNAUTHORIZED, detail)
    answer.headers["www-authenticate"] = challenge
    return answer


def _too_fast(admission: Admission) -> JSONResponse:
    rate, wait_s = admission.key.rate, admission.draw.next_in_s
    detail = (
        f"this key may send {rate.per_s} requests a second, {rate.burst} at once; wait {wait_s} s"
    )
    return refusal(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=wait_s)


def _with_rate_limit(admission: Admission, send: Send) -> Send:
    """Add the RateLimit header fields to a response (IETF draft 10), so that clients can slow down.

    ``w`` is how many seconds an empty bucket takes to fill, ``t`` in how many seconds one more
    request is allowed (the same as Retry-After).
    """
    rate, draw = admission.key.rate, admission.draw
    headers = [
        (b"ratelimit-policy", b'"key";q=%d;w=%d' % (rate.burst, rate.window_s)),
        (b"ratelimit", b'"key";r=%d;t=%d' % (draw.remaining, draw.next_in_s)),
    ]

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return with_headers


def require_scopes(*scopes: keys.Scope) -> Callable[..., Awaitable[Key]]:
    """Make a FastAPI dependency that returns the caller's key and requires all these scopes."""

    async def holder(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Key:
        key: Key = request.state.key
        for scope in scopes:
            check_scope(key, scope)
        return key

    return holder


def check_scope(key: Key, scope: keys.Scope) -> None:
    """Raise HTTPException 403 if the key lacks this scope."""
    if not key.may(scope):
        detail = f"this key lacks the scope {scope}; have one made with `--scope {scope}`"
        raise forbidden(detail, scope)


def forbidden(detail: str, scope: keys.Scope | None = None) -> HTTPException:
    """Make the exception for 403: the key is valid, but lacks the permission."""
    lacking = f', scope="{scope}"' if scope else ""
    challenge = f'{_CHALLENGE}, error="insufficient_scope"{lacking}'
    return HTTPException(HTTPStatus.FORBIDDEN, detail, {"www-authenticate": challenge})
