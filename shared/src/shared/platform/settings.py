"""Settings come from the environment, once, and are passed on: importing reads nothing."""

import sys
from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["EXIT_USAGE", "SECRETS", "DatabaseSettings", "ServiceSettings", "load"]

EXIT_USAGE: Final = 2
SECRETS: Final = Path("/run/secrets")


class DatabaseSettings(BaseSettings):
    """Where a service's database is. A secret may also be a file in /run/secrets of its name.

    ``direct_dsn`` names the database itself when ``dsn`` is a pooler's in transaction mode.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    dsn: SecretStr
    direct_dsn: SecretStr | None = None

    @property
    def own_dsn(self) -> str:
        """The database itself: for sessions, and for migrations."""
        return (self.direct_dsn or self.dsn).get_secret_value()


class ServiceSettings(DatabaseSettings):
    """What every service is told."""

    kafka_bootstrap: str = Field(pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=0, le=65535)
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    instance_id: str | None = None
    topic_prefix: str = ""


def load[S: BaseSettings](settings_type: type[S], prefix: str | None = None) -> S:
    """Read the settings, or say in one line which are wrong and leave with EXIT_USAGE."""
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
