"""A profile has a deployment's addresses; each fault is one line that says what to do."""

from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from premium.cli import app
from premium.errors import CommandError
from premium.profile import Profile, read_profile

WHOLE: Final = """
[kafka]
bootstrap = "one.example:9092,two.example:9092"
topic_prefix = "eu."

[services.router]
url = "https://router.example/"
key_file = "keys/router"
dsn = "postgresql://router_owner:secret@db.example/router"

[services.intake]
dsn_file = "intake-dsn"
"""
DSN: Final = "postgresql://intake_owner:hidden@db.example/intake"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a profile and the files that it names."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "router").write_text("pk_key\n")
    (tmp_path / "intake-dsn").write_text(f"{DSN}\n")
    file = tmp_path / "prod.toml"
    file.write_text(WHOLE)
    return file


def fault_of(file: Path, text: str, ask: str = "") -> str:
    """Read a profile, get an entry, and return the line of the error."""
    file.write_text(text)
    with pytest.raises(CommandError) as failed:
        entry_of(read_profile(file), ask)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def entry_of(profile: Profile, ask: str) -> object:
    """Get an entry as commands do."""
    match ask.split():
        case ["kafka"]:
            return profile.kafka_bootstrap
        case ["url"]:
            return profile.url("router")
        case ["key"]:
            return profile.headers("router")
        case ["dsn"]:
            return profile.dsn("intake")
        case _:
            return None


def test_a_profile_names_brokers_urls_keys_and_databases(file: Path) -> None:
    """Paths of files are relative to the profile's folder."""
    profile = read_profile(file)
    assert profile.kafka_bootstrap == "one.example:9092,two.example:9092"
    assert profile.topic_prefix == "eu."
    assert profile.url("router") == "https://router.example"
    assert profile.headers("router") == {"authorization": "Bearer pk_key"}
    assert profile.dsn("router") == "postgresql://router_owner:secret@db.example/router"
    assert profile.dsn("intake") == DSN


def test_a_key_file_may_be_one_that_curl_reads(file: Path) -> None:
    """Such a file holds the whole HTTP header."""
    (file.parent / "keys" / "router").write_text("authorization: Bearer pk_key\n")
    assert read_profile(file).headers("router") == {"authorization": "Bearer pk_key"}


def test_a_profile_shows_no_password(file: Path) -> None:
    """Neither its text form nor the line about a fault contains one."""
    assert "secret" not in repr(read_profile(file))
    line = fault_of(file, WHOLE.replace('key_file = "keys/router"', "key_file = 7"))
    assert "secret" not in line


@pytest.mark.parametrize(
    ("ask", "entry"),
    [
        ("kafka", "kafka.bootstrap"),
        ("url", "services.router.url"),
        ("key", "services.router.key_file"),
        ("dsn", "services.intake.dsn"),
    ],
)
def test_a_missing_entry_is_named(file: Path, ask: str, entry: str) -> None:
    """The line names the file and what to do; entries that are not needed may be missing."""
    line = fault_of(file, "", ask)
    assert line.startswith(f"{file} has no entry {entry}: add it, or run `premium up`, or name")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ('[kafka]\nbootstrap = "nowhere"', "kafka.bootstrap"),
        ("[kafka]\ntopic_prefix = ''", "kafka.bootstrap"),
        ('[services.router]\nurl = "router.example"', "services.router.url"),
        ('[services.router]\nkey = "pk_key"', "services.router.key"),
        ("[services.routers]", "services.routers"),
    ],
)
def test_a_faulty_entry_is_named(file: Path, text: str, entry: str) -> None:
    """So is an unknown entry: a typing error must not pass."""
    assert fault_of(file, text).startswith(f"{file}, entry {entry}")


@pytest.mark.parametrize("text", ["[kafka", "kafka = 1\nkafka = 2"])
def test_a_file_that_is_not_toml_is_reported(file: Path, text: str) -> None:
    """The line includes the parser's reason."""
    assert fault_of(file, text).startswith(f"the profile {file} is not TOML: ")


@pytest.mark.parametrize(
    ("name", "ask", "entry"),
    [
        ("keys/router", "key", "services.router.key_file"),
        ("intake-dsn", "dsn", "services.intake.dsn_file"),
    ],
)
@pytest.mark.parametrize("held", [None, "", "one\ntwo\n"])
def test_a_file_that_a_profile_names_must_hold_one_line(
    file: Path, name: str, ask: str, entry: str, held: str | None
) -> None:
    """If it is missing, empty or longer, the line names it, its entry and the profile."""
    place = file.parent / name
    if held is None:
        place.unlink()
    else:
        place.write_text(held)
    line = fault_of(file, WHOLE, ask)
    assert str(place) in line
    assert f"correct {entry} in {file}" in line


def test_an_invalid_dsn_is_reported_but_not_shown(file: Path) -> None:
    """It may contain a password."""
    (file.parent / "intake-dsn").write_text("mysql://intake:hidden@db.example\n")
    line = fault_of(file, WHOLE, "dsn")
    assert line.startswith(f"{file}: services.intake.dsn_file must give a DSN")
    assert "hidden" not in line


def test_a_missing_profile_is_one_line(tmp_path: Path) -> None:
    """An option, a variable or the default may name it."""
    named = tmp_path / "none.toml"
    unnamed = tmp_path / "profile.toml"
    for arguments, env, file in (
        (["--profile", str(named), "keys", "list"], {}, named),
        (["keys", "list"], {"PREMIUM_PROFILE": str(named)}, named),
        (["keys", "list"], {"PREMIUM_HOME": str(tmp_path)}, unnamed),
    ):
        ended = CliRunner().invoke(app(arguments), arguments, env=env)
        assert str(ended.exception) == (
            f"cannot read the profile {file}: No such file or directory;"
            " run `premium up`, or name a profile by --profile or PREMIUM_PROFILE"
        )
