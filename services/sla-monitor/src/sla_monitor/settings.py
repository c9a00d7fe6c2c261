"""The settings of sla-monitor."""

from pydantic_settings import SettingsConfigDict

from shared.platform.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service."""

    model_config = SettingsConfigDict(env_prefix="SLA_MONITOR_")
