"""A certified OpenID provider (a Node package with its defaults)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import AnyHttpUrl, SecretStr

from shared.web.oidc import OidcSettings

__all__ = ["Provider", "running_provider"]

ROOT: Final = Path(__file__).parents[2]
HERE: Final = ROOT / ".tools" / "provider"
CLIENT: Final = "desk"
SECRET: Final = "a made-up secret"


@dataclass(frozen=True, slots=True)
class Provider:
    """Accepts any password; `serve` sets the people and their claims."""

    address: str
    process: asyncio.subprocess.Process

    def settings(self, **more: Any) -> OidcSettings:  # noqa: ANN401 - of the settings
        """Return the settings with which pages use it."""
        issuer, secret = AnyHttpUrl(self.address), SecretStr(SECRET)
        return OidcSettings(issuer=issuer, client_id=CLIENT, client_secret=secret, **more)

    async def serve(self, desk: str, people: Mapping[str, Mapping[str, object]]) -> None:
        """Serve the pages at ``desk`` as the only client; ``people`` has the claims by login."""
        client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [f"{desk}/sign-in/back"],
            "post_logout_redirect_uris": [f"{desk}/sign-in/out"],
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"people": people, "client": client}).encode() + b"\n")
        assert await next_line(self.process) == "ready"


async def next_line(process: asyncio.subprocess.Process) -> str:
    """Wait for the next line of a process's output."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def _install() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"} | {
        "PATH": path
    }
    setup = await asyncio.create_subprocess_exec(ROOT / "deploy" / "clients", "provider", env=env)
    assert await setup.wait() == 0


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """Run a provider on localhost, which is another site than that of the pages."""
    await _install()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        HERE / ".venv" / "bin" / "node", HERE / "provider.mjs", stdin=pipe, stdout=pipe
    )
    try:
        yield Provider(await next_line(process), process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
