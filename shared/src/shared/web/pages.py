"""Pages out of templates, and the files they are made of: all served from here, nothing from afar.

htmx and its extension for live streams come out of a package. The policy that guards a page lets
in no script and no style that stands in the page itself.
"""

from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
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
"""Of every page, and of every part of one."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_COMPRESSED: Final = (Middleware(GZipMiddleware, minimum_size=500),)


class Pages:
    """Renders a service's templates, which may build on those that all services share."""

    def __init__(self, service: str, package: str) -> None:
        """Find the templates of ``package``, such as ``router.pages``."""
        self._assets = {name: (path.read_bytes(), kind) for name, (path, kind) in _ASSETS.items()}
        contents = b"".join(content for content, _ in self._assets.values())
        self.release = sha256(contents).hexdigest()[:12]
        """Names what the pages' files are: a page that was made of others says it is old."""
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
            release=self.release, service=service, static=f"/static/{self.release}"
        )
        self._env.tests["due"] = formatting.state

    def render(self, template: str, **values: object) -> str:
        """Fill a template. Raises jinja2's errors for what is missing in it."""
        return self._env.get_template(template).render(**values)

    def answer(self, template: str, status: int = 200, **values: object) -> Response:
        """Answer with a page or a part of one."""
        return HTMLResponse(self.render(template, **values), status, headers=HEADERS)

    def notice(self, request: Request, status: int, title: str, *lines: str) -> Response:
        """Say in words why there is no page and what to do next; short, where a part was asked."""
        template = "notice_part.html" if is_fragment(request) else "notice.html"
        return self.answer(template, status, title=title, lines=lines)

    def assets(self) -> Route:
        """Serve the files, under a path that changes when they do."""

        async def asset(request: Request) -> Response:
            name = request.path_params["name"]
            if name not in self._assets:
                return PlainTextResponse(f"the pages have no {name}", 404)
            content, kind = self._assets[name]
            headers = {"cache-control": _FOR_EVER, "x-content-type-options": "nosniff"}
            return Response(content, media_type=kind, headers=headers)

        return route("/static/{release}/{name}", asset)


def route(path: str, endpoint: Callable[..., object], *, method: str = "GET") -> Route:
    """Serve compressed what is worth it."""
    return Route(path, endpoint, methods=[method], middleware=_COMPRESSED)


def is_fragment(request: Request) -> bool:
    """Tell htmx, which asks for a part of a page, from somebody who opens one."""
    return "hx-request" in request.headers
