"""The settings of the local stack."""

from typing import Annotated

from pydantic import Field, Secret

from premium import settings

__all__ = ["Settings"]


class Settings(settings.Settings):
    """The stack's folder, and the external servers that it uses instead of its own."""

    kafka_bootstrap: str | None = Field(None, pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    """Kafka's brokers, as `host:port`, separated by commas: used instead of starting one."""
    postgres_dsn: Secret[Annotated[str, Field(pattern=r"^postgres(ql)?://")]] | None = None
    """A PostgreSQL server, used instead of starting one: as `postgresql://user:password@host:port`,
    of a role that may create roles and databases."""
    postgres_pooler: str | None = Field(None, pattern=r"^[^\s:/,]+:\d+$")
    """A pooler in transaction mode (`host:port`), through which services reach that server."""
