"""The settings of the operator's command."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, Secret
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where the stack lives, and which servers it uses instead of starting its own."""

    model_config = SettingsConfigDict(
        env_prefix="PREMIUM_", frozen=True, env_ignore_empty=True, use_attribute_docstrings=True
    )

    home: Path = Path(".premium")
    """The folder of the local stack: its state, data, logs and keys."""
    kafka_bootstrap: str | None = Field(None, pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    """Kafka's brokers, as `host:port`, separated by commas: used instead of starting one."""
    postgres_dsn: Secret[Annotated[str, Field(pattern=r"^postgres(ql)?://")]] | None = None
    """A PostgreSQL server, used instead of starting one: as `postgresql://user:password@host:port`,
    of a role that may create roles and databases."""
    postgres_pooler: str | None = Field(None, pattern=r"^[^\s:/,]+:\d+$")
    """A pooler in transaction mode (`host:port`), through which services reach that server."""
