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
    """The key of the digests that replace telephone numbers outside intake. All processes of
    intake need the same key; after a change, earlier numbers are no longer recognised."""
    webhook_secrets_dir: Path | None = None
    """A folder with one file for each secret of a webhook connection. Without it, webhooks that
    need a secret are refused."""
    requests_max: int = Field(DEFAULT_LIMITS.requests_max, ge=1)
    """How many HTTP requests are handled at once; any more are refused with 503."""
    body_s_max: float = Field(DEFAULT_LIMITS.body_s_max, gt=0)
    """How many seconds a request's body may take to arrive; a slower one is refused with 408."""
