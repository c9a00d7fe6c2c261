"""Where a bench ran: figures mean nothing without it."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final

import psutil

__all__ = ["environment"]

_PACKAGES: Final = ("aiokafka", "asyncpg", "faststream", "pydantic", "uvloop")


def environment(servers: Iterable[str]) -> dict[str, str]:
    """Describe this machine, its servers and the packages that matter."""
    return {
        "processors": f"{psutil.cpu_count()}, {platform.machine()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "servers": ", ".join(servers),
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    }
