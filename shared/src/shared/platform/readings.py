"""Gauges that are read from their source at each scrape, so that none shows an old value."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import structlog
from prometheus_client import Gauge

from shared.platform.postgres import Database, Tx

__all__ = ["Reading", "of_database", "read_all"]

_LOG = structlog.get_logger()
_READ_S_MAX: Final = 2

type Values = Mapping[tuple[str, ...], float]
"""A value for each tuple of label values; ``()`` for a gauge without labels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge and the function that reads its values."""

    gauge: Gauge
    read: Callable[[], Awaitable[Values]]


def of_database(db: Database, gauge: Gauge, ask: Callable[[Tx], Awaitable[float]]) -> Reading:
    """Make a `Reading` that takes the value of a gauge without labels from the database."""

    async def read() -> Values:
        async with db.session() as session:
            return {(): await ask(session)}

    return Reading(gauge, read)


async def read_all(readings: Sequence[Reading]) -> None:
    """Read all sources concurrently; after a failure a gauge has no value, not an old one."""
    await asyncio.gather(*map(_read, readings))


async def _read(reading: Reading) -> None:
    unlabelled = not reading.gauge._labelnames  # noqa: SLF001 - there is no public way
    values: Values = {(): nan} if unlabelled else {}
    try:
        async with asyncio.timeout(_READ_S_MAX):
            values = await reading.read()
    except Exception as e:  # noqa: BLE001 - the scrape shows the other values
        _LOG.warning("gauge_unread", gauge=reading.gauge._name, reason=repr(e))  # noqa: SLF001
    if not unlabelled:
        reading.gauge.clear()
    for labels, value in values.items():
        (reading.gauge.labels(*labels) if labels else reading.gauge).set(value)
