"""Kafka's jars: pinned by a list, and downloaded into the user's cache if they are missing."""

from functools import cache
from importlib import resources
from pathlib import Path

from devstack.jar import CACHE, Jar
from devstack.reporting import Reporter
from devstack.state import locked, write_errors

__all__ = ["classpath", "fetch"]


@cache
def _jars() -> list[Jar]:
    """Read the list, which pins every file, so that every start uses the same ones."""
    text = resources.files("devstack").joinpath("kafka.jars").read_text()
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [
        Jar(group, artifact, version, int(size_bytes), sha256)
        for where, size_bytes, sha256 in lines
        for group, artifact, version in [where.split(":")]
    ]


def classpath() -> list[Path]:
    """Return the paths of the jars, downloaded or not."""
    return [jar.path for jar in _jars()]


async def fetch(report: Reporter) -> None:
    """Download the jars that the cache lacks. Raises CommandError without a network."""
    if all(path.exists() for path in classpath()):
        return
    with write_errors(CACHE, moved_by="XDG_CACHE_HOME"):
        CACHE.mkdir(parents=True, exist_ok=True)
    async with locked(CACHE / "lock", report):
        missing = [jar for jar in _jars() if not jar.path.exists()]
        if not missing:
            return  # another command, which held the lock before, has fetched them
        size_bytes = sum(jar.size_bytes for jar in missing)
        what = f"Apache Kafka: {len(missing)} jars, {size_bytes / 1e6:.0f} MB, from Maven Central"
        with report.fetching(what, size_bytes) as advance:
            from devstack.maven import Fetch  # noqa: PLC0415 - slow, and needed only once

            await Fetch(advance).all(missing)
