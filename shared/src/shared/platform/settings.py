"""Settings are read from the environment once, at the start; importing a module reads nothing."""

import sys
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["EXIT_USAGE", "SECRETS", "DatabaseSettings", "ServiceSettings", "load"]

EXIT_USAGE: Final = 2
SECRETS: Final = Path("/run/secrets")


class DatabaseSettings(BaseSettings):
    """The database of a service. A secret may also be a file in /run/secrets with its name.

    The docstring of each setting is its description in docs/reference/settings.md.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    dsn: SecretStr
    """The service's database in PostgreSQL, as `postgresql://user:password@host:port/name`."""
    direct_dsn: SecretStr | None = None
    """The database itself, when the DSN is a pooler's in transaction mode: for migrations and for
    connections that must keep their session. Without it the DSN is used."""

    @property
    def own_dsn(self) -> str:
        """The DSN of the database itself, bypassing a pooler: for sessions and migrations."""
        return (self.direct_dsn or self.dsn).get_secret_value()


class ServiceSettings(DatabaseSettings):
    """The settings of every service."""

    kafka_bootstrap: str = Field(pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    """Kafka's brokers: `host:port`, several of them separated by commas."""
    http_host: str = "127.0.0.1"
    """The address at which the service listens for HTTP; `0.0.0.0` means all addresses."""
    http_port: int = Field(ge=0, le=65535)
    """The TCP port for HTTP; 0 picks a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log lines that are written."""
    instance_id: str | None = None
    """A name for this process that no other of the service has, such as a pod's. With it the
    process keeps its partitions over a restart (static membership in Kafka)."""
    topic_prefix: str = ""
    """Put before the name of every topic, so that several systems can share a Kafka."""


def load[S: BaseSettings](settings_type: type[S], prefix: str | None = None) -> S:
    """Read the settings. If some are wrong, print them in one line and exit with EXIT_USAGE."""
    if prefix is None:
        prefix = settings_type.model_config.get("env_prefix", "")
    try:
        return settings_type(_env_prefix=prefix, _secrets_dir=SECRETS if SECRETS.is_dir() else None)
    except ValidationError as e:
        faults = [
            f"{prefix}{'_'.join(str(p) for p in fault['loc'])}".upper() + f": {fault['msg']}"
            for fault in e.errors(include_input=False, include_url=False)
        ]
        sys.stderr.write(f"bad settings: {'; '.join(faults)}\n")
        raise SystemExit(EXIT_USAGE) from None
