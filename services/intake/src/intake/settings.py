"""What intake is told by its environment."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service, under INTAKE_.

    ``webhook_secrets_dir`` holds a file for each secret of a webhook connection.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_")

    webhook_secrets_dir: Path | None = None
