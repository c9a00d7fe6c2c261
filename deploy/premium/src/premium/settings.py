"""The settings of the operator's command."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where the command stores its files on this machine."""

    model_config = SettingsConfigDict(
        env_prefix="PREMIUM_", frozen=True, env_ignore_empty=True, use_attribute_docstrings=True
    )

    home: Path = Path(".premium")
    """The folder of the local stack: its state, data, logs, keys and profile."""
