"""What intake is told by its environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.platform.limits import LIMITS
from shared.platform.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service, under INTAKE_.

    By ``number_secret`` telephone numbers are told apart outside intake. ``webhook_secrets_dir``
    holds a file for each secret of a webhook connection. Beyond ``requests_max`` in hand a request
    is refused with 503, and with 408 when its body takes longer than ``body_s_max``.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_")

    number_secret: SecretStr = Field(min_length=32)
    webhook_secrets_dir: Path | None = None
    requests_max: int = Field(LIMITS.requests_max, ge=1)
    body_s_max: float = Field(LIMITS.body_s_max, gt=0)
