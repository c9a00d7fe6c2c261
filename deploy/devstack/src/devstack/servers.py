"""What the stack needs to know of anything it starts."""

import json
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import aiohttp

from devstack.processes import Command
from devstack.reporting import Reporter
from devstack.state import Home, Memory

__all__ = ["HOST", "Server", "Site", "ask"]

HOST: Final = "127.0.0.1"

_ASK_S: Final = aiohttp.ClientTimeout(total=2)


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
        async with aiohttp.ClientSession(timeout=_ASK_S) as http, http.get(address) as answer:
            faults = {} if answer.ok else json.loads(await answer.read())["faults"]
    except (aiohttp.ClientError, TimeoutError) as e:
        return str(e) or type(e).__name__
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status}"
    return "; ".join(f"{what}: {fault}" for what, fault in faults.items()) or None
