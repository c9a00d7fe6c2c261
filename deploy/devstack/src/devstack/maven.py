"""Downloads jars from Maven Central in parallel; each is verified before it is stored."""

import asyncio
import hashlib
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import requests
from jgo.maven import MavenContext, PythonResolver

from devstack.jar import CACHE, Jar
from devstack.reporting import Advance
from devstack.state import write_errors
from premium.errors import CommandError

__all__ = ["Fetch"]

_PARALLEL: Final = 6
_TIMEOUT_S: Final = 20


class Fetch:
    """Parallel downloads; cancelling `all` ends them."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._is_cancelled = threading.Event()
        self._staging = CACHE / ".fetch"

    async def all(self, jars: list[Jar]) -> None:
        """Download all of these jars."""
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
                self._is_cancelled.set()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _one(self, context: MavenContext, jar: Jar) -> None:
        if self._is_cancelled.is_set():
            return
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            fetched = component.artifact().resolve()
        except (requests.RequestException, RuntimeError) as e:
            raise CommandError(
                f"cannot fetch {jar.path.name} from Maven Central: connect to the network once"
                " (later starts need none), or set PREMIUM_KAFKA_BOOTSTRAP to a Kafka you have"
            ) from e
        if hashlib.sha256(fetched.read_bytes()).hexdigest() != jar.sha256:
            raise CommandError(
                f"{jar.path.name} has another SHA-256 than kafka.jars pins: something between here"
                " and Maven Central changed it; try another network"
            )
        with write_errors(CACHE, moved_by="XDG_CACHE_HOME"):
            fetched.replace(jar.path)

    @contextmanager
    def _progress(self, _name: str, _size_bytes: int) -> Iterator[Advance]:
        def advance(size_bytes: int) -> None:
            if self._is_cancelled.is_set():
                raise CommandError("the download was cancelled")
            self._advance(size_bytes)

        yield advance
