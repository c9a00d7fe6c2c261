"""What notifier is told by its environment."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.platform.settings import ServiceSettings

__all__ = ["Security", "Settings"]

type Security = Literal["starttls", "tls", "none"]
type MailAddress = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]+$", max_length=254)
]


class Settings(ServiceSettings):
    """The settings of every service, under NOTIFIER_, and the mail server's."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_")

    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(ge=1, le=65535)
    smtp_security: Security = "starttls"
    """Enforced: a server that does not offer it gets no mail."""
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: MailAddress
    team_mail: MailAddress
    ticket_url: str = Field(pattern=r"^https?://[^\s]*\{ticket_id\}[^\s]*$")
    """Where a ticket is looked at; ``{ticket_id}`` stands for its id."""

    @model_validator(mode="after")
    def _credentials_come_in_pairs(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("set SMTP_USERNAME and SMTP_PASSWORD both, or neither")
        return self
