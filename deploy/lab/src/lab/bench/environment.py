"""The environment of a benchmark, without which its figures mean nothing."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import psutil
from rich.table import Table

__all__ = ["environment", "where"]

_PACKAGES: Final = (
    *("aiokafka", "asyncpg", "faststream", "pydantic", "uvloop"),
    *("apscheduler", "procrastinate", "psycopg", "sqlalchemy"),
)


def environment(servers: Iterable[str]) -> dict[str, str]:
    """Describe this machine, its servers and the packages that matter."""
    return {
        "processors": f"{psutil.cpu_count()}, {platform.machine()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "servers": ", ".join(servers),
        "Python": platform.python_version(),
        "packages": ", ".join(filter(None, map(_versioned, _PACKAGES))),
    }


def where(described: Mapping[str, str]) -> Table:
    """Return the description as a table."""
    table = Table(title="Where", title_justify="left", box=None, show_header=False)
    for name, value in described.items():
        table.add_row(name, value)
    return table


def _versioned(name: str) -> str | None:
    """Return a package's name and version; None if it is not installed."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None
