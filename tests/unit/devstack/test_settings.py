"""Servers of others are named by the environment, and a wrong name is one line."""

import pytest

from devstack.settings import Settings
from shared.platform.settings import load

DSN = "postgresql://admin:secret@db.example/postgres"


def test_a_server_of_others_is_named_by_its_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password in it is not shown by accident."""
    monkeypatch.setenv("PREMIUM_POSTGRES_DSN", DSN)
    settings = load(Settings)
    assert settings.postgres_dsn is not None
    assert settings.postgres_dsn.get_secret_value() == DSN
    assert "secret@" not in repr(settings)


def test_what_is_no_dsn_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the setting, and not what it holds."""
    monkeypatch.setenv("PREMIUM_POSTGRES_DSN", "mysql://admin:secret@db.example")
    with pytest.raises(SystemExit):
        load(Settings)
    (line,) = capsys.readouterr().err.splitlines()
    assert "PREMIUM_POSTGRES_DSN" in line
    assert "secret" not in line
