"""What the stack needs to know of anything it starts."""

import signal
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import httpx

from premium.stack.processes import Command
from premium.stack.reporting import Reporter
from premium.stack.state import Home, Memory

__all__ = ["HOST", "Server", "Site", "ask"]

HOST: Final = "127.0.0.1"

_ASK_S: Final = 2
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each question the loading of the world's certificates."""


@dataclass(frozen=True)
class Site:
    """Where servers are built: the folder, what it remembers, who listens, and its lock."""

    home: Home
    memory: Memory
    report: Reporter
    lock: int | None = None


class Server(ABC):
    """Something that the stack starts as a process of its own."""

    name: str
    title: str
    ports: tuple[str, ...]
    stop_by = signal.SIGTERM
    stop_wait_s = 10.0

    @abstractmethod
    def command(self, site: Site) -> Command:
        """Say how to start it; its ports are chosen."""

    @abstractmethod
    async def probe(self, site: Site) -> str | None:
        """Ask it whether it is ready: None if so, else the reason why not."""

    async def prepare(self, site: Site) -> None:  # noqa: B027 - most need nothing
        """Make what it needs before it can start, if that is not there yet."""

    async def sweep(self, site: Site) -> None:  # noqa: B027 - most leave nothing
        """End what a killed process of it may have left running."""


async def ask(address: str) -> str | None:
    """Fetch a page that says whether its server is ready: None if so, else what is amiss."""
    try:
        async with httpx.AsyncClient(verify=_NO_TLS, trust_env=False, timeout=_ASK_S) as client:
            answer = await client.get(address)
            faults = {} if answer.is_success else answer.json()["faults"]
    except httpx.HTTPError as e:
        return str(e) or type(e).__name__
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status_code}"
    return "; ".join(f"{what}: {fault}" for what, fault in faults.items()) or None
