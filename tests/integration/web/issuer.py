"""An OpenID Connect issuer that validates requests, and can send wrong claims."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.platform.http import HttpServer

__all__ = ["CLIENT", "SECRET", "Issuer", "issuing"]

CLIENT: Final = "desk"
SECRET: Final = "a made-up secret"
_VALID: Final = timedelta(minutes=5)


@dataclass(slots=True)
class Issuer:
    """Signs ``person`` in without a password. ``lies`` override the token's claims."""

    now: datetime
    person: Mapping[str, Any] = field(default_factory=dict)
    lies: Mapping[str, Any] = field(default_factory=dict)
    more: Any = None
    """What UserInfo answers, if it is there."""
    ends: bool = True
    """Whether the metadata names an end-session endpoint."""
    forges: bool = False
    """Signs with a key that it does not publish."""
    address: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    other: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """What was asked for, by the code that was given; a code counts once."""
    signed: list[str] = field(default_factory=list)
    """The ID tokens that were given."""

    async def metadata(self, _: Request) -> Response:
        """Return the discovery document."""
        here = {
            "userinfo_endpoint": self.more is not None,
            "end_session_endpoint": self.ends,
        }
        return JSONResponse(
            {
                **{name: f"{self.address}/{name}" for name, there in here.items() if there},
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def keys(self, _: Request) -> Response:
        """Return the signing key."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        """Return a code for a valid request, with PKCE and a nonce."""
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["nonce"]
        code = token_urlsafe(16)
        self.asked[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303)

    async def token(self, request: Request) -> Response:
        """Exchange a code for a token, with the PKCE verifier."""
        form = dict(parse_qsl((await request.body()).decode()))
        asked = self.asked.pop(form["code"], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = request.headers.get("authorization") == f"Basic {basic}"
        if asked is None or not known or not _proves(form, asked):
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "17",
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + _VALID).timestamp()),
            "nonce": asked["nonce"],
            **self.person,
            **self.lies,
        }
        signed = jwt.encode(
            {"alg": "RS256", "kid": "one"}, claims, self.other if self.forges else self.key
        )
        self.signed.append(signed)
        return JSONResponse({"access_token": "-", "token_type": "Bearer", "id_token": signed})

    async def userinfo(self, request: Request) -> Response:
        """Return further claims, for the access token."""
        assert request.headers["authorization"] == "Bearer -"
        return JSONResponse(self.more, 500 if self.more == "broken" else 200)


def _proves(form: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return (
        challenge == asked["code_challenge"] and form.get("redirect_uri") == asked["redirect_uri"]
    )


@asynccontextmanager
async def issuing(now: datetime) -> AsyncIterator[Issuer]:
    """Run an issuer on a loopback port."""
    issuer = Issuer(now)
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", issuer.metadata),
            Route("/keys", issuer.keys),
            Route("/authorize", issuer.authorize),
            Route("/token", issuer.token, methods=["POST"]),
            Route("/userinfo_endpoint", issuer.userinfo),
        ]
    )
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    issuer.address = "http://{}:{}".format(*server.listening.getsockname())
    try:
        yield issuer
    finally:
        await server.stop()
