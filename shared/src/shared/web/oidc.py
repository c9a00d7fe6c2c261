"""OpenID Connect: authorization code with PKCE; authlib speaks it and checks what comes back."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, SecretStr
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.web.visitors import Person

__all__ = ["Oidc", "OidcError", "OidcSettings"]

_TRY_S_MAX: Final = 600
_WAIT_S_MAX: Final = 10
_LEADS: Final = "groups"
_FAILURES: Final = (OAuthError, JoseError, httpx2.HTTPError, KeyError, ValueError)


class OidcError(Exception):
    """The issuer is away, refuses, or says what cannot be trusted; the text says which."""


class OidcSettings(BaseModel):
    """The company's issuer, and what it says of people.

    ``name_claim`` holds their id on the roster: choose one that people cannot edit themselves. Who
    has ``lead_group`` among the claim ``groups`` is a lead.
    """

    model_config = ConfigDict(frozen=True)

    issuer: AnyHttpUrl
    client_id: str
    client_secret: SecretStr
    name_claim: str = "preferred_username"
    lead_group: str = "premium-leads"


class Oidc:
    """One issuer. What is between going and coming back is in a signed cookie of ten minutes."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        secret = settings.client_secret.get_secret_value()
        signed_with = sha256(f"sign-in/{secret}".encode()).hexdigest()
        self._between = Middleware(
            SessionMiddleware,
            secret_key=signed_with,
            session_cookie="sign-in",
            max_age=_TRY_S_MAX,
            path="/sign-in",
            same_site="lax",
        )
        metadata = f"{str(settings.issuer).rstrip('/')}/.well-known/openid-configuration"
        self._client = OAuth().register(
            "issuer",
            client_id=settings.client_id,
            client_secret=secret,
            server_metadata_url=metadata,
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "timeout": _WAIT_S_MAX,
            },
        )

    def routes(
        self, away: str, go: Callable[..., object], back: str, come: Callable[..., object]
    ) -> tuple[Route, Route]:
        """Serve going and coming back; both see the cookie, nothing else does."""
        return (
            Route(away, go, middleware=[self._between]),
            Route(back, come, middleware=[self._between]),
        )

    async def send(self, request: Request, back: str) -> Response:
        """Send somebody to the issuer, who sends them to ``back``. Raises OidcError."""
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except _FAILURES as e:
            raise OidcError("it does not answer") from e
        return answer

    async def receive(self, request: Request) -> Person:
        """Find out who came back. Raises OidcError."""
        try:
            token = await self._client.authorize_access_token(request)
            return self._person(token["userinfo"])
        except OAuthError as e:
            raise OidcError(e.description or e.error or "it refused") from e
        except _FAILURES as e:
            raise OidcError("what it said cannot be trusted") from e

    def _person(self, claims: Mapping[str, Any]) -> Person:
        name = claims.get(self._settings.name_claim)
        if not isinstance(name, str) or not name:
            raise OidcError(f"it does not say who you are ({self._settings.name_claim})")
        groups = claims.get(_LEADS) or ()
        return Person(name, lead=self._settings.lead_group in groups)
