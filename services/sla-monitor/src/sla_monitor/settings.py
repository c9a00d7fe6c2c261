"""What sla-monitor is told by its environment."""

from pydantic_settings import SettingsConfigDict

from shared.platform.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service, under SLA_MONITOR_."""

    model_config = SettingsConfigDict(env_prefix="SLA_MONITOR_")
