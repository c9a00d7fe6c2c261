"""The outbox: the table of events that transactions announce, until the relay publishes them."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

from pydantic_core import from_json, to_json

from shared.basics.clock import wait_at_most
from shared.events import Envelope, Event
from shared.events.codec import Header, attributes_of, value_of
from shared.platform.postgres import Tx

__all__ = ["add", "add_raw", "age_s", "packed", "unpacked", "unsent", "wait_until_short"]

_SHORT: Final = 1000
_SHORT_LOOK_S: Final = 0.01

COLUMNS: Final = ("topic", "key", "value", "headers", "partition")
UNSENT: Final = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM outbox"
AGE: Final = """
    SELECT coalesce((
        SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
        FROM outbox ORDER BY id LIMIT 1), 0)
"""

type _Row = tuple[str, bytes | None, bytes | None, str, int | None]


async def add(
    tx: Tx, envelopes: Iterable[Envelope[Event]], *, partitions: Iterable[int] | None = None
) -> None:
    """Add events to the outbox in the transaction, in this order.

    ``partitions`` names the partition of each event; by default its key determines it.
    """
    places = repeat(None) if partitions is None else partitions
    rows: list[_Row] = [
        (
            e.event.topic,
            e.event.subject.encode(),
            value_of(e.event),
            _attributes(e),
            partition,
        )
        for e, partition in zip(envelopes, places, strict=False)
    ]
    await _insert(tx, rows)


async def add_raw(  # noqa: PLR0913 - the parts of a record
    tx: Tx,
    *,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[Header],
    partition: int | None = None,
) -> None:
    """Add a raw record to the outbox: a report of a dead letter, or a record that is redriven."""
    await _insert(tx, [(topic, key, value, packed(headers), partition)])


async def unsent(tx: Tx) -> int:
    """Return an upper bound of the number of unpublished rows: highest minus lowest id, plus 1."""
    rows: int = await tx.fetchval(UNSENT)
    return rows


async def wait_until_short(session: Tx, *, until: asyncio.Event) -> bool:
    """Wait until the outbox is short, and return True; return False once ``until`` is set.

    Bulk work calls this between its steps, so that urgent events do not wait behind its rows.
    """
    while not until.is_set():
        if await unsent(session) <= _SHORT:
            return True
        await wait_at_most(until.wait(), _SHORT_LOOK_S)
    return False


async def age_s(tx: Tx) -> float:
    """Return the age of the oldest unpublished row, in seconds."""
    age: float = await tx.fetchval(AGE)
    return age


async def _insert(tx: Tx, rows: Sequence[_Row]) -> None:
    if rows:
        await tx.copy("outbox", COLUMNS, rows)
        tx.announces = True


def packed(headers: Iterable[Header]) -> str:
    """Encode headers as JSON; their values become text as Latin-1, which has every byte."""
    return _json([(name, None if raw is None else raw.decode("latin-1")) for name, raw in headers])


def _json(pairs: Sequence[tuple[str, str | None]]) -> str:
    return to_json(pairs).decode()


def _attributes(envelope: Envelope[Event]) -> str:
    attributes = attributes_of(envelope)
    text = _json(attributes)
    if text.isascii():
        return text
    return _json([(name, text.encode().decode("latin-1")) for name, text in attributes])


def unpacked(text: str) -> list[Header]:
    """Decode headers that `packed` encoded."""
    pairs = from_json(text)
    return [(name, None if value is None else value.encode("latin-1")) for name, value in pairs]
