"""Fetches Kafka's jars from Maven Central into the user's cache: once, verified, then offline."""

import asyncio
import hashlib
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import platformdirs
import requests
from jgo.maven import MavenContext, PythonResolver

from premium.stack.errors import StackError
from premium.stack.reporting import Advance, Reporter
from premium.stack.state import locked, speaking_of

__all__ = ["classpath", "fetch"]

_PARALLEL: Final = 6
_TIMEOUT_S: Final = 20
_CACHE: Final = platformdirs.user_cache_path("premium-support") / "kafka"


@dataclass(frozen=True)
class _Jar:
    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str

    @property
    def path(self) -> Path:
        return _CACHE / f"{self.artifact}-{self.version}.jar"


@cache
def _jars() -> list[_Jar]:
    """Read the list. It is written out, not resolved: every start gets the very same files."""
    text = resources.files("premium.stack").joinpath("kafka.jars").read_text()
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [
        _Jar(group, artifact, version, int(size_bytes), sha256)
        for where, size_bytes, sha256 in lines
        for group, artifact, version in [where.split(":")]
    ]


def classpath() -> list[Path]:
    """Where the jars are, or will be."""
    return [jar.path for jar in _jars()]


async def fetch(report: Reporter) -> None:
    """Fetch the jars that are not in the cache yet. Raises StackError without a network."""
    if all(path.exists() for path in classpath()):
        return
    with speaking_of(_CACHE):
        _CACHE.mkdir(parents=True, exist_ok=True)
    async with locked(_CACHE / "lock", report):
        missing = [jar for jar in _jars() if not jar.path.exists()]
        size_bytes = sum(jar.size_bytes for jar in missing)
        what = f"Apache Kafka: {len(missing)} jars, {size_bytes / 1e6:.0f} MB, from Maven Central"
        with report.fetching(what, size_bytes) as advance:
            await _Fetch(advance).all(missing)


class _Fetch:
    """One round of downloads, side by side; being cancelled ends them all."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._is_off = threading.Event()
        self._staging = _CACHE / ".fetch"

    async def all(self, jars: list[_Jar]) -> None:
        """Fetch these."""
        shutil.rmtree(self._staging, ignore_errors=True)
        resolver = PythonResolver(progress_callback=self._progress)
        context = MavenContext(resolver, repo_cache=self._staging, timeout=_TIMEOUT_S)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            try:
                await asyncio.gather(
                    *(loop.run_in_executor(pool, self._one, context, jar) for jar in jars)
                )
            finally:
                self._is_off.set()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _one(self, context: MavenContext, jar: _Jar) -> None:
        if self._is_off.is_set():
            return
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            fetched = component.artifact().resolve()
        except (requests.RequestException, RuntimeError) as e:
            raise StackError(
                f"cannot fetch {jar.path.name} from Maven Central: connect to the network once"
                " (later starts need none), or set PREMIUM_KAFKA_BOOTSTRAP to a Kafka you have"
            ) from e
        if hashlib.sha256(fetched.read_bytes()).hexdigest() != jar.sha256:
            raise StackError(
                f"{jar.path.name} is not the file that was pinned: something between here and"
                " Maven Central changed it; try another network"
            )
        with speaking_of(_CACHE):
            fetched.replace(jar.path)

    @contextmanager
    def _progress(self, _name: str, _size_bytes: int) -> Iterator[Advance]:
        def advance(size_bytes: int) -> None:
            if self._is_off.is_set():
                raise StackError("fetching was broken off")
            self._advance(size_bytes)

        yield advance
