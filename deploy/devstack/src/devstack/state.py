"""The data folder: what is where in it, what it remembers between commands, and its lock."""

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError, model_validator

from devstack.reporting import Reporter
from premium.errors import CommandError
from premium.profile import PROFILE_NAME
from shared.basics.clock import wait_at_most
from shared.platform.api_keys import Keyed

__all__ = ["Home", "Memory", "locked", "speaking_of", "write_atomically"]

_LOCK_LOOK_S: Final = 0.1
_FREE_BYTES_MIN: Final = 256 * 1024 * 1024


class Memory(BaseModel):
    """What a stack keeps to itself between commands: ports, passwords, the servers it uses."""

    ports: dict[str, int] = {}
    passwords: dict[str, str] = {}
    kafka_bootstrap: str | None = None
    """Somebody else's Kafka, if the stack was last brought up with one."""
    postgres_dsn: str | None = None
    """The same of PostgreSQL."""
    postgres_pooler: str | None = None
    """By which pooler services go to it."""
    keys: dict[Keyed, str] = {}
    """What the stack itself shows at the doors of its services."""

    @model_validator(mode="before")
    @classmethod
    def _read_one_key(cls, told: dict[str, Any]) -> dict[str, Any]:
        """Take over the key of a stack that was up when intake's was the only door."""
        key = told.get("key")
        return {"keys": {"intake": key}, **told} if key else told

    def make_up_passwords(self, roles: Iterable[str]) -> None:
        """Give each role one, if it has none yet."""
        for role in roles:
            self.passwords.setdefault(role, secrets.token_urlsafe(24))


class Home:
    """A stack's data folder."""

    def __init__(self, folder: Path) -> None:
        self._is_link = folder.expanduser().is_symlink()
        self.folder = folder.expanduser().resolve()
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self.postgres = self.folder / "postgres"
        self.kafka = self.folder / "kafka"
        self.mails = self.folder / "mails.jsonl"
        self.keys: Final[Mapping[Keyed, Path]] = {
            "intake": self.folder / "key",
            "router": self.folder / "router-key",
            "sla-monitor": self.folder / "sla-monitor-key",
        }
        """Headers for `curl -H @FILE`: what runs shows its arguments to everybody."""
        self.env = self.folder / "env"
        self.profile = self.folder / PROFILE_NAME
        self._memory = self.folder / "stack.json"
        self._lock = self.folder / "lock"

    @property
    def exists(self) -> bool:
        """Whether a stack was ever brought up here."""
        return self._memory.exists()

    def make(self) -> None:
        """Make the folders. Raises CommandError where nothing (more) can be written."""
        with speaking_of(self.folder):
            for folder in (self.folder, self.logs, self.run):
                folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        if free < _FREE_BYTES_MIN:
            raise CommandError(
                f"{self.folder} has {free // 1024**2} MiB left, {_FREE_BYTES_MIN // 1024**2} are"
                " needed: free some space, or set PREMIUM_HOME to another folder"
            )

    def recall(self) -> Memory:
        """Read what the stack remembers; nothing if it never ran."""
        try:
            return Memory.model_validate_json(self._memory.read_bytes())
        except FileNotFoundError:
            return Memory()
        except PermissionError as e:
            raise CommandError(
                f"cannot read {self._memory}: run premium as the user who brought the stack up"
            ) from e
        except ValidationError as e:
            raise CommandError(
                f"{self._memory} is damaged: start afresh with `premium down --wipe`"
            ) from e

    def remember(self, memory: Memory) -> None:
        """Keep it, for the owner's eyes only."""
        with speaking_of(self.folder):
            write_atomically(self._memory, memory.model_dump_json(indent=2))

    def show_key(self, service: Keyed, key: str) -> None:
        """Lay the stack's own key down for curl, for the owner's eyes only."""
        with speaking_of(self.folder):
            write_atomically(self.keys[service], f"authorization: Bearer {key}\n")

    def show_addresses(self, addresses: Mapping[str, str]) -> None:
        """Lay down where upstream systems and desks send to, for a shell to read."""
        lines = (f"export {_variable(name)}={place}\n" for name, place in addresses.items())
        with speaking_of(self.folder):
            write_atomically(self.env, "".join(lines))

    def show_profile(self, text: str) -> None:
        """Lay down the profile of this stack: it holds passwords, so for the owner's eyes only."""
        with speaking_of(self.folder):
            write_atomically(self.profile, text)

    @asynccontextmanager
    async def locked(self, report: Reporter) -> AsyncIterator[int]:
        """Hold the folder alone; the lock's descriptor comes back, for children to hold on to."""
        async with locked(self._lock, report) as descriptor:
            yield descriptor

    def wipe(self) -> None:
        """Delete what the stack put here, and the folder if nothing else is in it."""
        with speaking_of(self.folder):
            for path in (self.run, self.logs, self.postgres, self.kafka):
                shutil.rmtree(path, ignore_errors=True)
            for path in self._files():
                path.unlink(missing_ok=True)
            for staging in self.folder.glob(".*.new"):
                shutil.rmtree(staging)
            if not self._is_link and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _files(self) -> tuple[Path, ...]:
        keys = self.keys.values()
        return self.mails, *keys, self.env, self.profile, self._memory, self._lock


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a crash leaves the old one or the new one, readable by its owner."""
    staging = path.with_name(f".{path.name}.new")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    staging.replace(path)


@contextmanager
def speaking_of(folder: Path, *, moved_by: str = "PREMIUM_HOME") -> Iterator[None]:
    """Turn a refusal of the file system into one line that says what to do."""
    try:
        yield
    except OSError as e:
        raise CommandError(
            f"cannot write in {folder}: {e.strerror}; make room or allow it,"
            f" or set {moved_by} to another folder"
        ) from e


@asynccontextmanager
async def locked(path: Path, report: Reporter) -> AsyncIterator[int]:
    """Wait for the lock and hold it: it ends with this block, or with the process."""
    descriptor = await _lock(path, report)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(path: Path, report: Reporter) -> int:
    waited = False
    while True:
        with speaking_of(path.parent):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(descriptor, path):
                return descriptor
        except BlockingIOError:
            if not waited:
                report.say(f"Waiting: another command is at work in {path.parent}")
            waited = True
        os.close(descriptor)
        await wait_at_most(asyncio.Event().wait(), _LOCK_LOOK_S)


def _is_current(descriptor: int, path: Path) -> bool:
    """Tell whether the locked file is still the one that the next command will open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False  # wiped, while we waited for it
