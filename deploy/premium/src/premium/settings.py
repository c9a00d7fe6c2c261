"""What the operator's command is told by the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where the command keeps its files on this machine."""

    model_config = SettingsConfigDict(env_prefix="PREMIUM_", frozen=True, env_ignore_empty=True)

    home: Path = Path(".premium")
