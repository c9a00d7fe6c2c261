"""The command line of every service: `python -m <service>` serves, `… migrate` migrates."""

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from shared.basics.errors import Poison, Transient
from shared.platform import migrations, telemetry
from shared.platform.lifecycle import Part, run
from shared.platform.postgres import Database
from shared.platform.settings import EXIT_USAGE, DatabaseSettings, ServiceSettings, load

__all__ = ["command_line"]

_LOG = structlog.get_logger()
_NEW_OBJECTS: Final = 50_000
_USAGE: Final = "usage: python -m {package} [migrate]\n"


def command_line[S: ServiceSettings](
    package: str, settings_type: type[S], assemble: Callable[[S, Database], Sequence[Part]]
) -> None:
    """Run a service, or migrate its database, by the arguments of the process.

    Exits with 2 for bad settings or arguments, with 1 after a failure, else with 0. Uses asyncio's
    own event loop: on uvloop a write to a connection that was just closed raises RuntimeError,
    which ends aiokafka's metadata task, and the consumer never continues.
    """
    match sys.argv[1:]:
        case []:
            settings = load(settings_type)
            sys.exit(asyncio.run(_serve(package, settings, assemble)))
        case ["migrate"]:
            database = load(DatabaseSettings, settings_type.model_config.get("env_prefix"))
            sys.exit(asyncio.run(_migrate(package, database)))
        case _:
            sys.stderr.write(_USAGE.format(package=package))
            sys.exit(EXIT_USAGE)


def _database(package: str, settings: ServiceSettings) -> Database:
    pooled = settings.direct_dsn is not None
    return Database(settings.dsn.get_secret_value(), service=package, pooled=pooled)


async def _serve[S: ServiceSettings](
    package: str, settings: S, assemble: Callable[[S, Database], Sequence[Part]]
) -> int:
    telemetry.configure(service=package, level=settings.log_level)
    _collect_less()
    db = _database(package, settings)
    return await run([db, _DatabaseCheck(db, package), *assemble(settings, db)])


def _collect_less() -> None:
    """Exclude imported objects from garbage collection, and collect less often.

    A batch creates thousands of objects but no cycles; with the default threshold the collector
    takes a tenth of a sweep's time.
    """
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 100)


async def _migrate(package: str, database: DatabaseSettings) -> int:
    try:
        await migrations.apply(database.own_dsn, package, _print_line)
    except (Poison, Transient) as e:
        sys.stderr.write(f"{package}: {e}\n")
        return 1
    return 0


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class _DatabaseCheck:
    """Refuses to start on a database that lacks migrations, or behind an undeclared pooler."""

    def __init__(self, db: Database, package: str) -> None:
        self._db = db
        self._package = package

    async def start(self) -> None:
        await self._db.check_sessions()
        missing = await migrations.check(self._db, self._package)
        if missing:
            raise Transient(
                f"{', '.join(missing)} not applied: run `python -m {self._package} migrate`"
            )

    async def stop(self) -> None:
        pass
