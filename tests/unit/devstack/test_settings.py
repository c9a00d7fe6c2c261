"""The environment names external servers, and a wrong value is reported in one line."""

import pytest

from devstack.settings import Settings
from shared.platform.settings import load

DSN = "postgresql://admin:secret@db.example/postgres"


def test_an_external_server_is_named_by_its_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text form of the settings does not contain its password."""
    monkeypatch.setenv("PREMIUM_POSTGRES_DSN", DSN)
    settings = load(Settings)
    assert settings.postgres_dsn is not None
    assert settings.postgres_dsn.get_secret_value() == DSN
    assert "secret@" not in repr(settings)


def test_an_invalid_dsn_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the setting, but not its value."""
    monkeypatch.setenv("PREMIUM_POSTGRES_DSN", "mysql://admin:secret@db.example")
    with pytest.raises(SystemExit):
        load(Settings)
    (line,) = capsys.readouterr().err.splitlines()
    assert "PREMIUM_POSTGRES_DSN" in line
    assert "secret" not in line
