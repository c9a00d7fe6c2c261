"""The interface of the servers that a stack starts."""

import json
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import aiohttp

from devstack.processes import Command
from devstack.reporting import Reporter
from devstack.state import Home, SavedState

__all__ = ["HOST", "Context", "Server", "ask"]

HOST: Final = "127.0.0.1"

_ASK_S: Final = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True)
class Context:
    """What servers start with: the folder, its saved state, the reporter, and the lock."""

    home: Home
    saved: SavedState
    report: Reporter
    lock: int | None = None


class Server(ABC):
    """A server that the stack starts as a process."""

    name: str
    title: str
    ports: tuple[str, ...]
    stop_by = signal.SIGTERM
    stop_wait_s = 10.0

    @abstractmethod
    def command(self, context: Context) -> Command:
        """Return how to start it; its ports are known by then."""

    @abstractmethod
    async def probe(self, context: Context) -> str | None:
        """Return why it is not ready; None if it is."""

    async def prepare(self, context: Context) -> None:  # noqa: B027 - most need nothing
        """Make what the server needs to start, unless it exists."""

    async def clean_up(self, context: Context) -> None:  # noqa: B027 - most leave nothing
        """End processes that a killed server may have left running."""


async def ask(address: str) -> str | None:
    """Get a server's readiness page; return None if it is ready, else its faults."""
    try:
        async with aiohttp.ClientSession(timeout=_ASK_S) as http, http.get(address) as answer:
            faults = {} if answer.ok else json.loads(await answer.read())["faults"]
    except (aiohttp.ClientError, TimeoutError) as e:
        return str(e) or type(e).__name__
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status}"
    return "; ".join(f"{what}: {fault}" for what, fault in faults.items()) or None
