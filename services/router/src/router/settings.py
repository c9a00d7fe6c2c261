"""What router is told by its environment."""

from pydantic import AnyHttpUrl, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.web.settings import WebSettings

__all__ = ["Settings"]


class Settings(WebSettings):
    """The settings of every service with pages, under ROUTER_.

    ``intake_url`` and ``intake_key`` (scope details:read) let the inbox show what customers wrote.
    """

    model_config = SettingsConfigDict(env_prefix="ROUTER_")

    intake_url: AnyHttpUrl | None = None
    intake_key: SecretStr | None = None
