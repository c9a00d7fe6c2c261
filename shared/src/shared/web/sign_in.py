"""Signing in: by a personal link, or with the company's own account (OpenID Connect)."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from shared.basics.errors import Transient
from shared.platform.postgres import Database
from shared.web import store
from shared.web.oidc import Oidc, OidcError
from shared.web.page_sessions import PageSessions
from shared.web.pages import HEADERS, route
from shared.web.paths import LINK, SIGN_IN
from shared.web.visitors import Denied, Person, Visitor

__all__ = ["sign_in_routes"]

_COMPANY: Final = f"{SIGN_IN}/company"
_BACK: Final = f"{SIGN_IN}/back"
_OUT: Final = f"{SIGN_IN}/out"
_WHY: Final = {
    "ended": "Your session has ended: an hour unused, or twelve in all. Nothing is lost.",
    "out": "You are signed out.",
    "here": "You are signed out here, but not of the company account: sign out of that, too.",
}
_SPENT: Final = (
    "A link lets one person in, once, within 15 minutes. This one was used or is too old.",
    "Ask for a new one: premium inbox link YOUR-ID",
)


def sign_in_routes(
    db: Database, sessions: PageSessions, oidc: Oidc | None, home: str
) -> Sequence[BaseRoute]:
    """Serve sign-in and sign-out; who gets in goes to ``home``, or where they came from."""
    desk = _Desk(db, sessions, oidc, home)
    routes: list[BaseRoute] = [
        route(SIGN_IN, desk.page),
        route(f"{LINK}/{{secret}}", desk.ask),
        route(f"{LINK}/{{secret}}", desk.by_link, method="POST"),
        route(_OUT, desk.out),
        sessions.route("/sign-out", desk.sign_out, method="POST"),
    ]
    if oidc is not None:
        away, back = oidc.routes(_COMPANY, desk.to_company, _BACK, desk.from_company)
        routes += [away, back]
    return routes


class _Desk:
    """Sees who comes, and lets them in."""

    def __init__(self, db: Database, sessions: PageSessions, oidc: Oidc | None, home: str) -> None:
        self._db = db
        self._sessions = sessions
        self._pages = sessions.pages
        self._oidc = oidc
        self._home = home

    async def page(self, request: Request) -> Response:
        """Say how to get in."""
        company = None
        if self._oidc is not None:
            company = f"{_COMPANY}?{request.url.query}"
        why = _WHY.get(request.query_params.get("why", ""))
        return self._pages.answer("sign_in.html", why=why, company=company)

    async def ask(self, request: Request) -> Response:
        """Show whom the link lets in; only a press of the button uses it up."""
        try:
            async with self._db.transaction() as tx:
                person = await store.link(tx, request.path_params["secret"])
        except Transient:
            return self._away(request)
        return self._spent(request) if person is None else self._confirm(person)

    async def by_link(self, request: Request) -> Response:
        """Use the link."""
        try:
            async with self._db.transaction() as tx:
                person = await store.use_link(tx, request.path_params["secret"])
                if person is not None:
                    return await self._sessions.begin(request, tx, person, self._home)
        except Denied as e:
            return self._pages.notice(request, 403, "Not for you", str(e))
        except Transient:
            return self._away(request)
        return self._spent(request)

    async def to_company(self, request: Request) -> Response:
        """Send them to the company's own sign-in."""
        assert self._oidc is not None  # noqa: S101 - the route is there only with it
        request.session["next"] = _local(request.query_params.get("next", ""), self._home)
        try:
            return await self._oidc.send(request, str(request.url.replace(path=_BACK, query="")))
        except OidcError as e:
            return self._failed(request, str(e))

    async def from_company(self, request: Request) -> Response:
        """Take who comes back from there."""
        assert self._oidc is not None  # noqa: S101 - as above
        to = _local(request.session.get("next", ""), self._home)
        try:
            person, id_token = await self._oidc.receive(request)
            async with self._db.transaction() as tx:
                return await self._sessions.begin(request, tx, person, to, id_token)
        except OidcError as e:
            return self._failed(request, str(e))
        except Denied as e:
            return self._pages.notice(request, 403, "Not for you", str(e))
        except Transient:
            return self._away(request)

    async def sign_out(self, request: Request, visitor: Visitor) -> Response:
        """End the session here, and then the company's, if it began there."""
        id_token = await self._sessions.end(visitor)
        if self._oidc is None or id_token is None:
            answer = _to_page("out")
        else:
            answer = await self._leave(request, self._oidc, id_token)
        answer.delete_cookie(self._sessions.cookie)
        return answer

    async def out(self, _: Request) -> Response:
        """Take who comes back from signing out at the company's."""
        return _to_page("out")

    async def _leave(self, request: Request, oidc: Oidc, id_token: str) -> Response:
        """Send them on from a page: what answers a form may not send to another site."""
        try:
            to = await oidc.leave(id_token, str(request.url.replace(path=_OUT, query="")))
        except OidcError:
            to = None
        return self._pages.answer("leave.html", to=to) if to else _to_page("here")

    def _confirm(self, person: Person) -> Response:
        return self._pages.answer("confirm.html", person=person)

    def _spent(self, request: Request) -> Response:
        return self._pages.notice(request, 410, "This link no longer works", *_SPENT)

    def _failed(self, request: Request, reason: str) -> Response:
        lines = (f"The company's sign-in did not let you in: {reason}.", f"Try again: {SIGN_IN}")
        return self._pages.notice(request, 403, "Not signed in", *lines)

    def _away(self, request: Request) -> Response:
        lines = ("The database does not answer.", "Try again shortly: the link still works.")
        return self._pages.notice(request, 503, "Out of reach", *lines)


def _to_page(why: str) -> Response:
    return RedirectResponse(f"{SIGN_IN}?why={why}", 303, headers=HEADERS)


def _local(path: str, otherwise: str) -> str:
    """Never send anybody to another site, whatever a link says."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if ours else otherwise
