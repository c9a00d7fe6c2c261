"""What the operator's command is told by the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, Secret
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where the stack lives, and which servers it uses instead of starting its own."""

    model_config = SettingsConfigDict(env_prefix="PREMIUM_", frozen=True, env_ignore_empty=True)

    home: Path = Path(".premium")
    kafka_bootstrap: str | None = Field(None, pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    postgres_dsn: Secret[Annotated[str, Field(pattern=r"^postgres(ql)?://")]] | None = None
    """Of a role that may create roles and databases."""
    postgres_pooler: str | None = Field(None, pattern=r"^[^\s:/,]+:\d+$")
    """A pooler in transaction mode, by which services reach that server."""
