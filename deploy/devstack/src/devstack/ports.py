"""Free ports on the loopback interface."""

import random
import socket
from typing import Final

__all__ = ["free_port", "is_free"]

_PORTS: Final = range(17000, 30000)
"""Below the range for outgoing connections: a client that keeps trying to reach a stopped server
on such a port may connect to itself, and the port is lost."""


def free_port() -> int:
    """Choose a free port. Another program may take it meanwhile, so be ready to retry."""
    chosen = random.choices(_PORTS, k=100)  # noqa: S311 - nothing secret about a port
    return next(filter(is_free, chosen), 0) or _any_port()


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
