"""The door of the pages: nobody gets in without a session, nothing is done without its token."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx
from shared.web import store
from shared.web.pages import HEADERS, Pages, is_fragment, route
from shared.web.paths import SIGN_IN
from shared.web.visitors import Denied, Missing, Person, SignedOut, Visitor, csrf_token

__all__ = ["IsAllowed", "OnSignOut", "PageSessions", "form_of"]

_CSRF_HEADER: Final = "x-csrf-token"
_CSRF_FIELD: Final = "csrf"

type IsAllowed = Callable[[Tx, Person], Awaitable[bool]]
"""Tells whether somebody still belongs here: asked at every request."""

type OnSignOut = Callable[[Tx, Person], Awaitable[None]]
"""What else happens when somebody signs out."""

type OnExtend = Callable[[Tx, Person], Awaitable[None]]
"""What else happens every few seconds while a page is open."""

type Handle = Callable[[Request, Visitor], Awaitable[Response]]


class PageSessions:
    """Lets visitors through to pages, and turns what stands in their way into pages, too."""

    def __init__(self, db: Database, pages: Pages, admits: IsAllowed, leaves: OnSignOut) -> None:
        self._db = db
        self._admits = admits
        self._leaves = leaves
        self.pages = pages
        self.cookie = f"{pages.service}-session"
        """Cookies know no ports: two services on one host keep theirs apart."""

    def route(self, path: str, handle: Handle, *, method: str = "GET") -> Route:
        """Serve ``handle`` to who is signed in."""

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
            except Transient:
                lines = ("The database does not answer. Nothing was done.", "Try again shortly.")
                return self.pages.notice(request, 503, "Out of reach", *lines)

        return route(path, endpoint, method=method)

    async def visitor(self, request: Request) -> Visitor:
        """Find out who asks. Raises SignedOut."""
        secret = request.cookies.get(self.cookie, "")
        async with self._db.transaction() as tx:
            person = await store.resume(tx, secret)
            if person is None or not await self._admits(tx, person):
                raise SignedOut
        return Visitor(person, csrf_token(secret), secret)

    async def extend(self, visitor: Visitor, also: OnExtend) -> bool:
        """Return whether a visitor's session still counts, prolong it, and do ``also``.

        In one transaction: a session that is ended meanwhile ends after it, or before.
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
        """Begin a session and send its owner on. Raises Denied."""
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
        """End the session, wherever it is open; the ID token it began with comes back."""
        async with self._db.transaction() as tx:
            id_token = await store.end(tx, visitor.secret)
            await self._leaves(tx, visitor.person)
        return id_token


async def form_of(request: Request) -> dict[str, str]:
    """Read the fields of a form; of a field that comes twice, the last."""
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


async def _check_csrf(request: Request, visitor: Visitor) -> None:
    told = request.headers.get(_CSRF_HEADER) or (await form_of(request)).get(_CSRF_FIELD, "")
    if not hmac.compare_digest(told.encode(), visitor.csrf.encode()):
        raise Denied("This did not come from a page of this session. Reload the page, try again.")


def _to_sign_in(request: Request) -> Response:
    """Send who is signed out to sign in, and from there back to where they were."""
    if is_fragment(request):
        return Response(status_code=401, headers={**HEADERS, "hx-redirect": f"{SIGN_IN}?why=ended"})
    was = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"&next={quote(was, safe='')}" if request.method == "GET" else ""
    why = "ended" if any(name.endswith("-session") for name in request.cookies) else "first"
    return RedirectResponse(f"{SIGN_IN}?why={why}{back}", 303, headers=HEADERS)
