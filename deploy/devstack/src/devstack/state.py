"""A stack's data folder: its files, the state saved between commands, and its lock."""

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from devstack.keys import key_file
from devstack.reporting import Reporter
from premium.errors import CommandError
from premium.profile import PROFILE_NAME
from shared.basics.clock import wait_at_most
from shared.platform.api_keys import SCOPES

__all__ = ["Home", "SavedState", "locked", "write_atomically", "write_errors"]

_LOCK_POLL_S: Final = 0.1
_FREE_BYTES_MIN: Final = 256 * 1024 * 1024


class SavedState(BaseModel):
    """What a stack saves between commands: ports, passwords, keys, external servers."""

    ports: dict[str, int] = {}
    passwords: dict[str, str] = {}
    kafka_bootstrap: str | None = None
    """An external Kafka, if the last `up` used one."""
    postgres_dsn: str | None = None
    """An external PostgreSQL, likewise."""
    postgres_pooler: str | None = None
    """The pooler through which services connect to it."""
    keys: dict[str, str] = {}
    """The stack's own API keys, by the names of their files."""

    def generate_passwords(self, roles: Iterable[str]) -> None:
        """Generate a password for each role that has none."""
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
        self.env = self.folder / "env"
        self.profile = self.folder / PROFILE_NAME
        self._saved = self.folder / "stack.json"
        self._lock = self.folder / "lock"

    @property
    def exists(self) -> bool:
        """Whether `up` ever ran here."""
        return self._saved.exists()

    def make(self) -> None:
        """Make the folders. Raises CommandError if they cannot be written, or the disk is full."""
        with write_errors(self.folder):
            for folder in (self.folder, self.logs, self.run):
                folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        if free < _FREE_BYTES_MIN:
            raise CommandError(
                f"{self.folder} has {free // 1024**2} MiB left, {_FREE_BYTES_MIN // 1024**2} are"
                " needed: free some space, or set PREMIUM_HOME to another folder"
            )

    def load(self) -> SavedState:
        """Load the saved state; an empty one if the stack never ran."""
        try:
            return SavedState.model_validate_json(self._saved.read_bytes())
        except FileNotFoundError:
            return SavedState()
        except PermissionError as e:
            raise CommandError(
                f"cannot read {self._saved}: run premium as the user who brought the stack up"
            ) from e
        except ValidationError as e:
            raise CommandError(
                f"{self._saved} is damaged: start afresh with `premium down --wipe`"
            ) from e

    def save(self, saved: SavedState) -> None:
        """Save the state, readable by its owner only."""
        with write_errors(self.folder):
            write_atomically(self._saved, saved.model_dump_json(indent=2))

    def write_key(self, file: str, key: str) -> None:
        """Write a key of the stack as a header, readable by its owner only.

        It is for `curl -H @FILE`: a key among the arguments would be visible to all users.
        """
        with write_errors(self.folder):
            write_atomically(self.folder / file, f"authorization: Bearer {key}\n")

    def write_addresses(self, addresses: Mapping[str, str]) -> None:
        """Write the addresses of Kafka and the APIs as shell variables."""
        lines = (f"export {_variable(name)}={place}\n" for name, place in addresses.items())
        with write_errors(self.folder):
            write_atomically(self.env, "".join(lines))

    def write_profile(self, text: str) -> None:
        """Write the profile; it contains passwords, so only its owner may read it."""
        with write_errors(self.folder):
            write_atomically(self.profile, text)

    @asynccontextmanager
    async def locked(self, report: Reporter) -> AsyncIterator[int]:
        """Lock the folder, and return the lock's descriptor, which child processes inherit."""
        async with locked(self._lock, report) as descriptor:
            yield descriptor

    def wipe(self) -> None:
        """Delete the stack's files, and the folder if it is empty then."""
        with write_errors(self.folder):
            for path in (self.run, self.logs, self.postgres, self.kafka):
                shutil.rmtree(path, ignore_errors=True)
            for path in self._files():
                path.unlink(missing_ok=True)
            for staging in self.folder.glob(".*.new"):
                shutil.rmtree(staging)
            if not self._is_link and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _files(self) -> tuple[Path, ...]:
        keys = [self.folder / key_file(s, admin=a) for s in SCOPES for a in (False, True)]
        return self.mails, *keys, self.env, self.profile, self._saved, self._lock


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file, readable by its owner; a crash leaves the old or the new one, whole."""
    staging = path.with_name(f".{path.name}.new")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    staging.replace(path)


@contextmanager
def write_errors(folder: Path, *, moved_by: str = "PREMIUM_HOME") -> Iterator[None]:
    """Turn an error of the file system into one line that says what to do."""
    try:
        yield
    except OSError as e:
        raise CommandError(
            f"cannot write in {folder}: {e.strerror}; make room or allow it,"
            f" or set {moved_by} to another folder"
        ) from e


@asynccontextmanager
async def locked(path: Path, report: Reporter) -> AsyncIterator[int]:
    """Wait for the lock and hold it until the block, or the process, ends."""
    descriptor = await _lock(path, report)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(path: Path, report: Reporter) -> int:
    waited = False
    while True:
        with write_errors(path.parent):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(descriptor, path):
                return descriptor
        except BlockingIOError:
            if not waited:
                report.line(f"Waiting: another command works in {path.parent}")
            waited = True
        os.close(descriptor)
        await wait_at_most(asyncio.Event().wait(), _LOCK_POLL_S)


def _is_current(descriptor: int, path: Path) -> bool:
    """Return whether the locked file is still the one that the next command will open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False  # another command wiped the folder meanwhile
