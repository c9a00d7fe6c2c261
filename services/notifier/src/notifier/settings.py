"""The settings of notifier."""

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
    """The settings of every service, and the mail server's."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_")

    smtp_host: str = Field(min_length=1)
    """The mail server's host name or address."""
    smtp_port: int = Field(ge=1, le=65535)
    """The mail server's TCP port."""
    smtp_security: Security = "starttls"
    """How the connection is encrypted. No mail is sent to a server that does not offer it."""
    smtp_username: str | None = None
    """The user for the mail server. Set user and password, or neither."""
    smtp_password: SecretStr | None = None
    """The password of that user."""
    mail_from: MailAddress
    """The sender's address of every mail."""
    team_mail: MailAddress
    """The team's address: it receives the mails that are not for one specialist."""
    ticket_url: str = Field(pattern=r"^https?://[^\s]*\{ticket_id\}[^\s]*$")
    """The link to a ticket in mails, such as `https://router.example/inbox?ticket={ticket_id}`;
    the ticket's id replaces `{ticket_id}`."""

    @model_validator(mode="after")
    def _credentials_come_in_pairs(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("set SMTP_USERNAME and SMTP_PASSWORD both, or neither")
        return self
