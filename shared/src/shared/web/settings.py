"""The settings of a service with pages: sign-in with the company's account."""

from typing import Self

from pydantic import AnyHttpUrl, SecretStr, model_validator

from shared.platform.settings import ServiceSettings
from shared.web.oidc import OidcSettings

__all__ = ["WebSettings"]


class WebSettings(ServiceSettings):
    """The settings of every service, and those of its pages. Without an issuer, use links."""

    oidc_issuer: AnyHttpUrl | None = None
    """The OpenID Connect issuer at which people sign in; without it, by sign-in links only. Set
    issuer, client id and client secret, or none of them."""
    oidc_client_id: str | None = None
    """The id under which the issuer knows this service."""
    oidc_client_secret: SecretStr | None = None
    """The secret that belongs to the client id."""
    oidc_scopes: str = "openid profile"
    """The scopes to ask for, separated by spaces; `openid` is one of them. Some issuers send
    groups only for a scope of their own, such as `groups`."""
    oidc_name_claim: str = "preferred_username"
    """The claim that holds the specialist's id on the roster. Choose one that people cannot edit
    themselves."""
    oidc_lead_group: str = "premium-leads"
    """People with this group in the claim `groups` are leads."""

    @property
    def oidc(self) -> OidcSettings | None:
        """The settings of the issuer, if there is one."""
        if not self.oidc_issuer or not self.oidc_client_id or not self.oidc_client_secret:
            return None
        return OidcSettings(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            scopes=self.oidc_scopes,
            name_claim=self.oidc_name_claim,
            lead_group=self.oidc_lead_group,
        )

    @model_validator(mode="after")
    def _issuer_is_complete(self) -> Self:
        given = [self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret]
        if any(given) and not all(given):
            raise ValueError("oidc_issuer, oidc_client_id, oidc_client_secret: set all or none")
        if "openid" not in self.oidc_scopes.split():
            raise ValueError(
                "oidc_scopes: openid must be among them, such as: openid profile groups"
            )
        return self
