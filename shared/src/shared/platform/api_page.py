"""The page `/docs`: Swagger UI over the service's own OpenAPI document, without external assets.

Scripts and styles come from a Python package. The content security policy allows only scripts that
this service serves.
"""

from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

__all__ = ["page_routes"]

_OURS: Final = files("shared.platform") / "static"
_SWAGGER_UI: Final = files("fastapi_offline") / "static"
_ASSETS: Final = {
    "page.css": _OURS / "page.css",
    "page.js": _OURS / "page.js",
    "swagger-ui.css": _SWAGGER_UI / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER_UI / "swagger-ui-bundle.js",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def page_routes(service: str) -> list[BaseRoute]:
    """Return the routes of the page and its files."""
    html = (_OURS / "page.html").read_text().replace("{service}", service)

    async def page(_: Request) -> Response:
        return HTMLResponse(html, headers=_HEADERS)

    return [Route("/docs", page), Route("/docs/{name}", _asset)]


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise HTTPException(404, f"the page has no {name}")
    return FileResponse(str(_ASSETS[name]), headers=_HEADERS)
