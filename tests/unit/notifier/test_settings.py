"""Settings of the notifier: defaults, and values that are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from notifier.settings import Settings

GOOD = {
    "dsn": "postgresql://notifier@localhost/notifier",
    "kafka_bootstrap": "localhost:9092",
    "http_port": 0,
    "smtp_host": "mail.example",
    "smtp_port": 587,
    "mail_from": "support@premium.example",
    "team_mail": "team@premium.example",
    "ticket_url": "https://support.example/t/{ticket_id}",
}


def test_mail_is_encrypted_by_default() -> None:
    """STARTTLS is the default."""
    assert Settings.model_validate(GOOD).smtp_security == "starttls"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("smtp_security", "sometimes"),
        ("smtp_port", 0),
        ("mail_from", "support@premium.example\r\nBcc: everybody@example.org"),
        ("team_mail", "the team"),
        ("ticket_url", "https://support.example/t/"),
        ("ticket_url", "javascript:{ticket_id}"),
        ("smtp_username", "premium"),
    ],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:  # noqa: ANN401 - any value
    """A setting that could not work is refused at the start, not at the first mail."""
    with pytest.raises(ValidationError):
        Settings.model_validate({**GOOD, field: value})
