"""The settings of intake."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.platform.limits import DEFAULT_LIMITS
from shared.platform.settings import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """The settings of every service, and intake's own."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_")

    number_secret: SecretStr = Field(min_length=32)
    """The key of the digests that stand for telephone numbers outside intake. All processes of
    intake have the same; after a change, numbers from before are not recognised."""
    webhook_secrets_dir: Path | None = None
    """A folder with one file for each secret of a webhook connection. Without it connections that
    need a secret refuse what is sent."""
    requests_max: int = Field(DEFAULT_LIMITS.requests_max, ge=1)
    """How many HTTP requests are answered at once; those beyond are refused with 503."""
    body_s_max: float = Field(DEFAULT_LIMITS.body_s_max, gt=0)
    """How many seconds a request's body may take to arrive; then it is refused with 408."""
