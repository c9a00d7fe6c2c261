"""What router is told by its environment."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service, under ROUTER_."""

    model_config = SettingsConfigDict(env_prefix="ROUTER_")
