"""`premium roster FILE`: publish specialists to `specialists.v1`."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid5

import typer
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from premium.settings import Settings
from premium.stack import Stack
from premium.stack.addresses import Addresses
from premium.stack.errors import StackError
from shared import postgres
from shared.events import NAMESPACE, Envelope, Event, SpecialistListed
from shared.events.codec import describe, headers_of, value_of
from shared.postgres import Database
from shared.publisher import Outgoing, Publisher
from shared.settings import load

__all__ = ["listing", "publish", "read", "roster"]

_SOURCE: Final = "roster"


class _Roster(BaseModel):
    model_config = ConfigDict(extra="forbid")

    specialists: list[SpecialistListed]


def roster(file: Annotated[Path, typer.Argument(help="a roster in YAML")]) -> None:
    """Publish the specialists of FILE. Who is listed already is changed; nobody is removed."""
    specialists = read(file)
    asyncio.run(publish(Stack.attach(load(Settings).home).addresses, specialists))
    Console().print(f"{len(specialists)} specialists published; router has them in a moment")


def read(file: Path) -> tuple[SpecialistListed, ...]:
    """Read a roster. Raises StackError that names file, line and fault."""
    try:
        return tuple(_Roster.model_validate(yaml.safe_load(file.read_text())).specialists)
    except OSError as e:
        raise StackError(f"{file}: {e.strerror}") from None
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise StackError(f"{file}:{line}: {e.problem}") from None
    except ValidationError as e:
        raise StackError(f"{file}: {describe(e)}") from None


def listing(envelope: Envelope[Event]) -> Outgoing:
    """Lay a roster event out as a record of the compacted topic."""
    event = envelope.event
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


async def publish(addresses: Addresses, specialists: Iterable[SpecialistListed]) -> None:
    """Publish specialists as of now; a later publication of the same people replaces this one."""
    db = Database(addresses.dsn("router"), service="premium")
    publisher = Publisher(addresses.kafka_bootstrap, service="premium")
    await db.start()
    try:
        async with db.session() as session:
            now = await postgres.now(session)
        cause = uuid5(NAMESPACE, f"roster/{now.isoformat()}")
        await publisher.publish(
            listing(Envelope.caused_by(uuid5(cause, s.subject), s, source=_SOURCE, time=now))
            for s in specialists
        )
    finally:
        await publisher.stop()
        await db.stop()
