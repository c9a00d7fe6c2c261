"""A command's own stack is separate from all others, new each time, and deleted at the end."""

from pathlib import Path
from typing import Final, override

import asyncpg
import pytest

from devstack.reporting import SilentReporter
from devstack.stack import Stack
from lab.own_stack import own_stack

NOWHERE: Final = {
    "PREMIUM_KAFKA_BOOTSTRAP": "127.0.0.1:9",
    "PREMIUM_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:9/nothing",
}
"""External servers in the environment, which an own stack does not use."""
MARK: Final = "CREATE TABLE mark (id int)"
MARKED: Final = "SELECT to_regclass('mark') IS NOT NULL"


class Recorder(SilentReporter):
    """Records the reported lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @override
    def line(self, text: str) -> None:
        """Record the line."""
        self.lines.append(text)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a PREMIUM_HOME, in an environment with external servers."""
    for name, value in {**NOWHERE, "PREMIUM_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


async def query(stack: Stack, statement: str) -> object:
    """Run a statement on the stack's own PostgreSQL."""
    connection = await asyncpg.connect(stack.addresses.admin_dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_is_new_each_time_and_kept_only_after_a_failure(home: Path) -> None:
    """After a failure it stays for inspection, until the next one of that name deletes it."""
    recorder = Recorder()
    with pytest.raises(LookupError):
        async with own_stack("bench", recorder, ()) as stack:
            await query(stack, MARK)
            raise LookupError
    folder = home / "bench"
    assert (
        f"Kept for inspection: logs in {folder / 'logs'}; PREMIUM_HOME={folder}" in recorder.lines
    )
    assert [state.name for state in await Stack(folder).states() if state.pid is not None] == []
    async with own_stack("bench", recorder, ()) as stack:
        assert stack.folder == folder
        assert await query(stack, MARKED) is False
    assert list(home.iterdir()) == []  # noqa: ASYNC240 - on a local disk
