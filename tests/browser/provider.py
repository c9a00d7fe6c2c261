"""A certified OpenID provider, of other makers and with their defaults, on Node."""

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

__all__ = ["Provider", "providing"]

ROOT: Final = Path(__file__).parents[2]
HERE: Final = ROOT / ".tools" / "provider"
CLIENT: Final = "desk"
SECRET: Final = "a made-up secret"


@dataclass(frozen=True, slots=True)
class Provider:
    """Lets in who types any password, as ``people`` knows them once they are named."""

    address: str
    process: asyncio.subprocess.Process

    def settings(self, **more: Any) -> OidcSettings:  # noqa: ANN401 - of the settings
        """Describe it to the pages."""
        issuer, secret = AnyHttpUrl(self.address), SecretStr(SECRET)
        return OidcSettings(issuer=issuer, client_id=CLIENT, client_secret=secret, **more)

    async def serve(self, desk: str, people: Mapping[str, Mapping[str, object]]) -> None:
        """Serve the pages at ``desk``, as the one client; what people's claims are, by login."""
        client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [f"{desk}/sign-in/back"],
            "post_logout_redirect_uris": [f"{desk}/sign-in/out"],
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"people": people, "client": client}).encode() + b"\n")
        assert await said(self.process) == "ready"


async def said(process: asyncio.subprocess.Process) -> str:
    """Wait for the next line that a process writes."""
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
async def providing() -> AsyncIterator[Provider]:
    """Run a provider on a port of the loopback, at another site than the pages: localhost."""
    await _install()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        HERE / ".venv" / "bin" / "node", HERE / "provider.mjs", stdin=pipe, stdout=pipe
    )
    try:
        yield Provider(await said(process), process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
