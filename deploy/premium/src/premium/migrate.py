"""`premium migrate SERVICE`: bring a service's database up to date."""

import asyncio
import os
from typing import Annotated

import typer

from premium.errors import CommandError
from premium.profile import SERVICES, read_profile, service_named
from shared.basics.errors import Poison, Transient
from shared.platform import migrations
from shared.platform.api_keys import Keyed
from shared.platform.settings import DatabaseSettings, load

__all__ = ["migrate"]


def migrate(
    service: Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")],
) -> None:
    """Apply the migrations that SERVICE's database lacks, and show each; wait for another migrate.

    The database is that of SERVICE_DSN (SERVICE_DIRECT_DSN behind a pooler), whose role must own
    the tables; without it, the profile's.
    """
    named = service_named(service)
    package = named.replace("-", "_")
    try:
        applied = asyncio.run(migrations.apply(_dsn(named), package, typer.echo))
    except ModuleNotFoundError as e:
        raise CommandError(
            f"{service} is not installed here: run `python -m {package} migrate` where it is"
        ) from e
    except (Poison, Transient) as e:
        raise CommandError(f"cannot migrate {service}'s database: {e}") from e
    typer.echo(f"{len(applied)} applied; {service}'s database is up to date")


def _dsn(service: Keyed) -> str:
    prefix = f"{service.replace('-', '_').upper()}_"
    if f"{prefix}DSN" in os.environ:
        return load(DatabaseSettings, prefix).own_dsn
    return read_profile().dsn(service)
