"""Services on local ports, and a profile with their URLs and admin keys: without DSNs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from docs.services import app_of
from premium.cli import app
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES, Keyed
from shared.platform.http import HttpServer
from shared.platform.postgres import Database
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.keys import new_key


@dataclass(frozen=True)
class Deployment:
    """All services, and the operator's profile."""

    profile: Path
    databases: Mapping[Keyed, FreshDatabase]

    async def run(self, *arguments: str) -> Result:
        """Run a command with the profile."""
        return await run(self.profile, *arguments)

    async def premium(self, *arguments: str) -> str:
        """Run a command that succeeds; return its output."""
        ended = await self.run(*arguments)
        assert ended.exit_code == 0, ended.exception or ended.output
        return ended.stdout

    async def refused(self, *arguments: str) -> str:
        """Run a command that fails; return its error."""
        ended = await self.run(*arguments)
        assert ended.exit_code == 1
        return str(ended.exception)


async def run(profile: Path, *arguments: str) -> Result:
    """Run a command of the operator in a thread: it has a loop of its own."""
    given = ["--profile", str(profile), *arguments]
    return await asyncio.to_thread(lambda: CliRunner().invoke(app(given), given))


@pytest.fixture
async def deployment(database: MakeDatabase, tmp_path: Path) -> AsyncIterator[Deployment]:
    """Serve the APIs of all services."""
    lines: list[str] = []
    databases: dict[Keyed, FreshDatabase] = {}
    async with AsyncExitStack() as stack:
        stack.enter_context(capture_logs())  # services share standard output with the commands
        for service in SCOPES:
            fresh = databases[service] = await database(service.replace("-", "_"))
            key = await new_key(fresh.owner_dsn, service, name="admin", scopes=["admin"], owned=())
            (tmp_path / f"{service}-admin-key").write_text(key.text)
            url = await _serve(stack, service, fresh)
            lines += [f"[services.{service}]", f'url = "{url}"']
            lines.append(f'admin_key_file = "{service}-admin-key"')
        profile = tmp_path / "operator.toml"
        profile.write_text("\n".join(lines))
        yield Deployment(profile, databases)


async def _serve(stack: AsyncExitStack, service: Keyed, fresh: FreshDatabase) -> str:
    db = Database(fresh.dsn, service=service, connections_max=2)
    server = HttpServer(app_of(service, db, Authenticator(db)), host="127.0.0.1", port=0)
    for part in (db, server):
        await part.start()
        stack.push_async_callback(part.stop)
    assert server.listening is not None
    return "http://{}:{}".format(*server.listening.getsockname())
