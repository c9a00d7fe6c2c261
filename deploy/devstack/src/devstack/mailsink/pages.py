"""The mails as pages, and as JSON."""

from typing import Final

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from devstack.mailsink.mailbox import Mailbox
from shared.platform.http import ops_routes

__all__ = ["pages"]

_PAGE_MAILS: Final = 100
_LISTED: Final = {"number", "message_id", "in_reply_to", "to", "subject", "received_at"}
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    b" base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_DIGITS_MAX: Final = 15


class _Guarded:
    """Adds headers that prevent a mail's content from running on the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_guarded)


def pages(mailbox: Mailbox) -> Starlette:
    """Return the web app of a mailbox."""
    show = _Pages(mailbox)
    return FastAPI(
        openapi_url=None,
        routes=[
            Route("/", show.newest),
            Route("/mails/{number:int}", show.one),
            Route("/mails.json", show.listing),
            Mount("/static", StaticFiles(packages=[("devstack.mailsink", "static")])),
            *ops_routes({}),
        ],
        middleware=[Middleware(_Guarded)],
    )


class _Pages:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._templates = Environment(
            loader=PackageLoader("devstack.mailsink"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["moment"] = "{:%Y-%m-%d %H:%M:%S} UTC".format

    async def newest(self, request: Request) -> Response:
        """List a page of mails, newest first."""
        before = _number(request, "before")
        mails = self._mailbox.page(before, _PAGE_MAILS + 1)
        return self._page(
            "mails.html",
            count=self._mailbox.count,
            before=before,
            mails=mails[:_PAGE_MAILS],
            older=len(mails) > _PAGE_MAILS,
        )

    async def one(self, request: Request) -> Response:
        """Show one mail."""
        mail = self._mailbox.find(request.path_params["number"])
        if mail is None:
            return self._page("gone.html", status=404)
        return self._page("mail.html", mail=mail)

    async def listing(self, request: Request) -> Response:
        """List the mails after `since`, oldest first, and the total number."""
        mails = self._mailbox.since(_number(request, "since") or 0)
        listed = [mail.model_dump(mode="json", include=_LISTED) for mail in mails]
        return JSONResponse({"count": self._mailbox.count, "mails": listed})

    def _page(self, name: str, *, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(values), status)


def _number(request: Request, name: str) -> int | None:
    """Read a number from the query; None if it is missing or invalid."""
    text = request.query_params.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if is_number else None
