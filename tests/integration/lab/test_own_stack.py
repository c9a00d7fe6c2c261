"""A stack of a demo's own: apart from every other, fresh each time, and gone in the end."""

from pathlib import Path
from typing import Final, override

import asyncpg
import pytest

from devstack.reporting import Silent
from devstack.stack import Stack
from lab.own_stack import own_stack

NOWHERE: Final = {
    "PREMIUM_KAFKA_BOOTSTRAP": "127.0.0.1:9",
    "PREMIUM_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:9/nothing",
}
"""Servers that the environment names: a stack of its own leaves them alone."""
MARK: Final = "CREATE TABLE mark (id int)"
MARKED: Final = "SELECT to_regclass('mark') IS NOT NULL"


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @override
    def say(self, line: str) -> None:
        """Note it down."""
        self.lines.append(line)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a PREMIUM_HOME, in an environment that names servers of others."""
    for name, value in {**NOWHERE, "PREMIUM_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


async def asked(stack: Stack, statement: str) -> object:
    """Ask the stack's own PostgreSQL."""
    connection = await asyncpg.connect(stack.addresses.admin_dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_is_fresh_each_time_and_kept_only_after_a_failure(home: Path) -> None:
    """What a failure left can be looked at, until the next of that name deletes it."""
    heard = Heard()
    with pytest.raises(LookupError):
        async with own_stack("bench", heard, ()) as stack:
            await asked(stack, MARK)
            raise LookupError
    folder = home / "bench"
    assert f"Kept for a look: logs in {folder / 'logs'}; PREMIUM_HOME={folder}" in heard.lines
    assert [state.name for state in await Stack(folder).states() if state.pid is not None] == []
    async with own_stack("bench", heard, ()) as stack:
        assert stack.folder == folder
        assert await asked(stack, MARKED) is False
    assert list(home.iterdir()) == []  # noqa: ASYNC240 - on a local disk
