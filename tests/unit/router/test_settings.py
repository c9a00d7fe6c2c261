"""What router is told of the company's account."""

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


def test_scopes_reach_the_issuer_as_they_are_named() -> None:
    """Without any, the name comes by the standard scope of a profile."""
    plain = Settings.model_validate({**NEEDED, **ISSUER})
    named = Settings.model_validate({**NEEDED, **ISSUER, "oidc_scopes": "openid email groups"})
    assert plain.oidc is not None
    assert plain.oidc.scopes == "openid profile"
    assert named.oidc is not None
    assert named.oidc.scopes == "openid email groups"


@pytest.mark.parametrize("scopes", ["", "profile", "openid,profile"])
def test_scopes_name_openid(scopes: str) -> None:
    """Without it an issuer gives no ID token; they stand apart by spaces."""
    with pytest.raises(ValidationError, match="oidc_scopes: openid must be among them"):
        Settings.model_validate({**NEEDED, **ISSUER, "oidc_scopes": scopes})
