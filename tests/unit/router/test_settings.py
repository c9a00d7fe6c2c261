"""Settings of sign-in with the company's account."""

import pytest
from pydantic import ValidationError

from router.settings import Settings

NEEDED = {
    "dsn": "postgresql://localhost/router",
    "kafka_bootstrap": "localhost:9092",
    "http_port": 0,
}
ISSUER = {
    "oidc_issuer": "https://login.example",
    "oidc_client_id": "desk",
    "oidc_client_secret": "a made-up secret",
}


def test_scopes_are_sent_to_the_issuer() -> None:
    """Without any, the standard scope of a profile provides the name."""
    plain = Settings.model_validate({**NEEDED, **ISSUER})
    named = Settings.model_validate({**NEEDED, **ISSUER, "oidc_scopes": "openid email groups"})
    assert plain.oidc is not None
    assert plain.oidc.scopes == "openid profile"
    assert named.oidc is not None
    assert named.oidc.scopes == "openid email groups"


@pytest.mark.parametrize("scopes", ["", "profile", "openid,profile"])
def test_scopes_name_openid(scopes: str) -> None:
    """Without `openid` an issuer gives no ID token; scopes are separated by spaces."""
    with pytest.raises(ValidationError, match="oidc_scopes: openid must be among them"):
        Settings.model_validate({**NEEDED, **ISSUER, "oidc_scopes": scopes})
