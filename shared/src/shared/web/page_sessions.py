"""Sessions of the pages: every page needs a session, every POST also the session's CSRF token."""

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.basics.errors import Transient
from shared.platform.idempotency import KeyConflict
from shared.platform.postgres import Database, Tx
from shared.web import store
from shared.web.pages import HEADERS, Pages, is_fragment, route
from shared.web.paths import SIGN_IN
from shared.web.visitors import Denied, Missing, Person, SignedOut, Visitor, csrf_token

__all__ = ["IsAllowed", "OnSignOut", "PageSessions", "form_of"]

_CSRF_HEADER: Final = "x-csrf-token"
_CSRF_FIELD: Final = "csrf"
_SENT_TWICE: Final = {
    HTTPStatus.CONFLICT: "The first time is still in progress. Try again shortly.",
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "The first time it had another choice. Reload the page, look again, then decide."
    ),
}

type IsAllowed = Callable[[Tx, Person], Awaitable[bool]]
"""Returns whether a person may use the pages; called at every request."""

type OnSignOut = Callable[[Tx, Person], Awaitable[None]]
"""Called when a person signs out."""

type OnExtend = Callable[[Tx, Person], Awaitable[None]]
"""Called every few seconds while a page is open."""

type Handle = Callable[[Request, Visitor], Awaitable[Response]]


class PageSessions:
    """Serves pages to signed-in people, and error pages for what they may not see."""

    def __init__(self, db: Database, pages: Pages, admits: IsAllowed, leaves: OnSignOut) -> None:
        self._db = db
        self._admits = admits
        self._leaves = leaves
        self.pages = pages
        self.cookie = f"{pages.service}-session"
        """Named after the service: cookies ignore ports, and one host may run two services."""

    def route(self, path: str, handle: Handle, *, method: str = "GET") -> Route:
        """Make a route that serves ``handle`` to signed-in people."""

        async def endpoint(request: Request) -> Response:
            try:
                visitor = await self.visitor(request)
                if method == "POST":
                    await _check_csrf(request, visitor)
                return await handle(request, visitor)
            except SignedOut:
                return _to_sign_in(request)
            except Denied as e:
                return self.pages.notice(request, 403, "Not for you", str(e))
            except Missing as e:
                return self.pages.notice(request, 404, "Not here", str(e))
            except KeyConflict as e:
                return self.pages.notice(request, e.status, "Sent twice", _SENT_TWICE[e.status])
            except Transient:
                lines = ("The database does not answer. Nothing was done.", "Try again shortly.")
                return self.pages.notice(request, 503, "Out of reach", *lines)

        return route(path, endpoint, method=method)

    async def visitor(self, request: Request) -> Visitor:
        """Return the signed-in person of a request. Raises SignedOut."""
        secret = request.cookies.get(self.cookie, "")
        async with self._db.transaction() as tx:
            person = await store.resume(tx, secret)
            if person is None or not await self._admits(tx, person):
                raise SignedOut
        return Visitor(person, csrf_token(secret), secret)

    async def extend(self, visitor: Visitor, also: OnExtend) -> bool:
        """Extend a session and call ``also``; return False if the session has ended.

        Both happen in one transaction, so that a sign-out comes before both or after both.
        """
        async with self._db.transaction() as tx:
            person = await store.resume(tx, visitor.secret)
            if person is None or not await self._admits(tx, person):
                return False
            await also(tx, person)
            return True

    async def begin(
        self, request: Request, tx: Tx, person: Person, to: str, id_token: str | None = None
    ) -> Response:
        """Begin a session for a person and redirect them to ``to``. Raises Denied."""
        if not await self._admits(tx, person):
            raise Denied(f"{person.name} is not on the roster. Ask your team lead.")
        answer = RedirectResponse(to, 303, headers=HEADERS)
        answer.set_cookie(
            self.cookie,
            await store.begin(tx, person, id_token),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    async def end(self, visitor: Visitor) -> str | None:
        """End the session for all its open pages; return the ID token with which it began."""
        async with self._db.transaction() as tx:
            id_token = await store.end(tx, visitor.secret)
            await self._leaves(tx, visitor.person)
        return id_token


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a repeated field, the last value."""
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


async def _check_csrf(request: Request, visitor: Visitor) -> None:
    sent = request.headers.get(_CSRF_HEADER) or (await form_of(request)).get(_CSRF_FIELD, "")
    if not hmac.compare_digest(sent.encode(), visitor.csrf.encode()):
        raise Denied("This did not come from a page of this session. Reload the page, try again.")


def _to_sign_in(request: Request) -> Response:
    """Redirect to sign-in, and from there back to the requested page."""
    if is_fragment(request):
        return Response(status_code=401, headers={**HEADERS, "hx-redirect": f"{SIGN_IN}?why=ended"})
    was = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"&next={quote(was, safe='')}" if request.method == "GET" else ""
    why = "ended" if any(name.endswith("-session") for name in request.cookies) else "first"
    return RedirectResponse(f"{SIGN_IN}?why={why}{back}", 303, headers=HEADERS)
