"""Renders pages from templates, and serves their scripts and styles; no external assets.

htmx and its server-sent-events extension come from a Python package. The content security policy
allows no inline script or style.
"""

from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from secrets import token_urlsafe
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.web import formatting

__all__ = ["HEADERS", "Pages", "is_fragment", "route"]

_OURS: Final = files("shared.web") / "static"
_HTMX: Final = files("django_htmx") / "static" / "django_htmx"
_ASSETS: Final = {
    "base.css": (_OURS / "base.css", "text/css"),
    "live.js": (_OURS / "live.js", "text/javascript"),
    "keys.js": (_OURS / "keys.js", "text/javascript"),
    "icon.svg": (_OURS / "icon.svg", "image/svg+xml"),
    "htmx.js": (_HTMX / "htmx-2.min.js", "text/javascript"),
    "sse.js": (_HTMX / "ext" / "hx-sse-2.min.js", "text/javascript"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""The headers of every page and page fragment."""
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_COMPRESSED: Final = (Middleware(GZipMiddleware, minimum_size=500),)


class Pages:
    """Renders a service's templates, which may extend the shared ones."""

    def __init__(self, service: str, package: str) -> None:
        """Load the templates of ``package``, such as ``router.pages``."""
        self._assets = {name: (path.read_bytes(), kind) for name, (path, kind) in _ASSETS.items()}
        contents = b"".join(content for content, _ in self._assets.values())
        self.release = sha256(contents).hexdigest()[:12]
        """A digest of the pages' files; a page with another digest shows that it is outdated."""
        self.service = service
        self._env = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.web")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters.update(
            left=formatting.left, span=formatting.span, clock=formatting.clock_time
        )
        self._env.globals.update(
            release=self.release,
            service=service,
            static=f"/static/{self.release}",
            new_key=token_urlsafe,
        )
        self._env.tests["due"] = formatting.state

    def render(self, template: str, **values: object) -> str:
        """Render a template. Raises jinja2's errors for missing templates and values."""
        return self._env.get_template(template).render(**values)

    def answer(self, template: str, status: int = 200, **values: object) -> Response:
        """Respond with a page or a page fragment."""
        return HTMLResponse(self.render(template, **values), status, headers=HEADERS)

    def notice(self, request: Request, status: int, title: str, *lines: str) -> Response:
        """Respond with an error page: the reason and the next step; short for a fragment."""
        template = "notice_part.html" if is_fragment(request) else "notice.html"
        return self.answer(template, status, title=title, lines=lines)

    def assets(self) -> Route:
        """Return the route of the files, whose path contains their digest."""

        async def asset(request: Request) -> Response:
            name = request.path_params["name"]
            if name not in self._assets:
                return PlainTextResponse(f"the pages have no {name}", 404)
            content, kind = self._assets[name]
            headers = {"cache-control": _IMMUTABLE, "x-content-type-options": "nosniff"}
            return Response(content, media_type=kind, headers=headers)

        return route("/static/{release}/{name}", asset)


def route(path: str, endpoint: Callable[..., object], *, method: str = "GET") -> Route:
    """Make a route whose larger responses are compressed."""
    return Route(path, endpoint, methods=[method], middleware=_COMPRESSED)


def is_fragment(request: Request) -> bool:
    """Return whether htmx requests a page fragment, instead of a browser a whole page."""
    return "hx-request" in request.headers
