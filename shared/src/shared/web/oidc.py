"""OpenID Connect sign-in: authorization code flow with PKCE, implemented by authlib."""

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
_NO_VALID_ANSWER: Final = "it does not answer as it should"
_FAILURES: Final = (OAuthError, JoseError, httpx2.HTTPError, KeyError, TypeError, ValueError)


class OidcError(Exception):
    """The issuer is unavailable, refuses, or sends invalid data; the message says which."""


class OidcSettings(BaseModel):
    """The company's OpenID Connect issuer, and how its claims identify people.

    The claims depend on ``scopes``; those missing in the ID token are read from UserInfo.
    ``name_claim`` holds the id on the roster: choose a claim that people cannot edit themselves. A
    person with ``lead_group`` in the claim ``groups`` is a lead.
    """

    model_config = ConfigDict(frozen=True)

    issuer: AnyHttpUrl
    client_id: str
    client_secret: SecretStr
    scopes: str = "openid profile"
    name_claim: str = "preferred_username"
    lead_group: str = "premium-leads"


class Oidc:
    """One issuer. A sign-in in progress is stored in a signed cookie, valid for ten minutes."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        secret = settings.client_secret.get_secret_value()
        signed_with = sha256(f"sign-in/{secret}".encode()).hexdigest()
        self._cookie = Middleware(
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
                "scope": settings.scopes,
                "code_challenge_method": "S256",
                "timeout": _WAIT_S_MAX,
            },
        )

    def routes(
        self,
        redirect_path: str,
        redirect: Callable[..., object],
        callback_path: str,
        callback: Callable[..., object],
    ) -> tuple[Route, Route]:
        """Make the routes to the issuer and back; only these two see the cookie."""
        return (
            Route(redirect_path, redirect, middleware=[self._cookie]),
            Route(callback_path, callback, middleware=[self._cookie]),
        )

    async def send(self, request: Request, back: str) -> Response:
        """Redirect a person to the issuer, which redirects to ``back``. Raises OidcError."""
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except _FAILURES as e:
            raise OidcError(_NO_VALID_ANSWER) from e
        return answer

    async def receive(self, request: Request) -> tuple[Person, str]:
        """Return the person who signed in at the issuer, and the ID token. Raises OidcError."""
        try:
            token = await self._client.authorize_access_token(request)
            return self._person(await self._claims(token)), token["id_token"]
        except OAuthError as e:
            raise OidcError(e.description or e.error or "it refused") from e
        except httpx2.HTTPError as e:
            raise OidcError(_NO_VALID_ANSWER) from e
        except _FAILURES as e:
            raise OidcError("what it said cannot be trusted") from e

    async def leave(self, id_token: str, back: str) -> str | None:
        """Return the URL at which the issuer ends its own session and redirects to ``back``.

        None if the issuer does not support it. Raises OidcError.
        """
        try:
            if "end_session_endpoint" not in await self._client.load_server_metadata():
                return None
            to = await self._client.create_logout_url(
                back, id_token, client_id=self._settings.client_id
            )
        except _FAILURES as e:
            raise OidcError(_NO_VALID_ANSWER) from e
        return str(to["url"])

    async def _claims(self, token: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the claims of the ID token, completed by UserInfo if it has the same ``sub``.

        By the standard an ID token may contain only ``sub`` if the issuer has UserInfo.
        """
        claims: Mapping[str, Any] = token["userinfo"]
        metadata = await self._client.load_server_metadata()
        if {self._settings.name_claim, _LEADS} <= claims.keys():
            return claims
        if "userinfo_endpoint" not in metadata:
            return claims
        more = await self._client.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise OidcError("its UserInfo speaks of another person (sub)")
        return {**more, **claims}

    def _person(self, claims: Mapping[str, Any]) -> Person:
        name = claims.get(self._settings.name_claim)
        if not isinstance(name, str) or not name:
            raise OidcError(f"it does not say who you are ({self._settings.name_claim})")
        groups = claims.get(_LEADS)
        groups = groups if isinstance(groups, list) else [groups]
        return Person(name, lead=self._settings.lead_group in groups)
