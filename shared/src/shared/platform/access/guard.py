"""Stands before a service's door: no key, no entry; with one, so many requests a second.

Pure ASGI, before any of the body is read. What a key may do, the endpoints ask by `require_scopes`.
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
"""What else a service has is open, or knows its visitors otherwise."""
_CROWDED: Final = "too many webhooks are in hand; send it again in a second"
_NOT_IN_FORCE: Final = "send a key that is in force as `Authorization: Bearer pk_…`"
_MALFORMED: Final = "this is no key: a typing error, or a part is missing; copy it again"
_UNTOLD: Final = "the key cannot be looked up now; nothing was taken, send the same request again"
_CHALLENGE: Final = 'Bearer realm="premium-support"'
_INVALID: Final = f'{_CHALLENGE}, error="invalid_token"'
"""RFC 6750, 3.1: a key was shown, and does not count. To who shows none, no error is told."""
_SHOWN: Final = HTTPBearer(auto_error=False, bearerFormat="pk_…")
"""For the API's description; the guard has read it before."""


class Guard:
    """Lets requests through that have a key, unless they come too fast.

    Who posts below ``signed`` signs instead; until a body has come, anybody may. Of these only
    ``unauthenticated_max`` are let in at once, so that slow ones leave room for others.
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
        self._strangers_max = unauthenticated_max
        self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with 401, 429, or 503 when the key cannot be looked up."""
        if scope["type"] != "http" or not scope["path"].startswith(_KEYED):
            await self._app(scope, receive, send)
            return
        if self._signed is not None and scope["path"].startswith(self._signed):
            await self._let_stranger_in(scope, receive, send)
            return
        admission = await self._admission(Headers(scope=scope).get("authorization"))
        if isinstance(admission, JSONResponse):
            await admission(scope, receive, send)
            return
        telling = _telling(admission, send)
        if admission.draw.allowed:
            scope.setdefault("state", {})["key"] = admission.key
            await self._app(scope, receive, telling)
        else:
            await _too_fast(admission)(scope, receive, telling)

    async def _let_stranger_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._strangers >= self._strangers_max:
            crowded = refusal(HTTPStatus.SERVICE_UNAVAILABLE, _CROWDED, retry_after_s=1)
            await crowded(scope, receive, send)
            return
        self._strangers += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._strangers -= 1

    async def _admission(self, authorization: str | None) -> Admission | JSONResponse:
        token = bearer_of(authorization)
        if token is None:
            return _stranger(_NOT_IN_FORCE, _CHALLENGE)
        shown = keys.read_key(token)
        if shown is None:
            return _stranger(_MALFORMED, _INVALID)
        try:
            return await self._access.authenticate(shown) or _stranger(_NOT_IN_FORCE, _INVALID)
        except Transient:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, _UNTOLD, retry_after_s=1)


def _stranger(detail: str, challenge: str) -> JSONResponse:
    answer = refusal(HTTPStatus.UNAUTHORIZED, detail)
    answer.headers["www-authenticate"] = challenge
    return answer


def _too_fast(admission: Admission) -> JSONResponse:
    rate, wait_s = admission.key.rate, admission.draw.next_in_s
    detail = f"this key may ask {rate.per_s} times a second, {rate.burst} at once; wait {wait_s} s"
    return refusal(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=wait_s)


def _telling(admission: Admission, send: Send) -> Send:
    """Tell with each answer how many requests are left, so that a client can pace itself.

    RateLimit header fields of the IETF's draft 10. The rate is a bucket: ``w`` is how long an empty
    one takes to fill, ``t`` when there is one request more, which is what Retry-After says.
    """
    rate, draw = admission.key.rate, admission.draw
    headers = [
        (b"ratelimit-policy", b'"key";q=%d;w=%d' % (rate.burst, rate.window_s)),
        (b"ratelimit", b'"key";r=%d;t=%d' % (draw.remaining, draw.next_in_s)),
    ]

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return told


def require_scopes(*scopes: keys.Scope) -> Callable[..., Awaitable[Key]]:
    """Make what an endpoint depends on: the key of who asks, which has all these scopes."""

    async def holder(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(_SHOWN)],
    ) -> Key:
        key: Key = request.state.key
        for scope in scopes:
            check_scope(key, scope)
        return key

    return holder


def check_scope(key: Key, scope: keys.Scope) -> None:
    """Refuse with 403 what the key was not made for."""
    if not key.may(scope):
        detail = f"this key lacks the scope {scope}; have one made with `--scope {scope}`"
        raise forbidden(detail, scope)


def forbidden(detail: str, scope: keys.Scope | None = None) -> HTTPException:
    """Make a refusal with 403: the key does not reach so far."""
    lacking = f', scope="{scope}"' if scope else ""
    challenge = f'{_CHALLENGE}, error="insufficient_scope"{lacking}'
    return HTTPException(HTTPStatus.FORBIDDEN, detail, {"www-authenticate": challenge})
