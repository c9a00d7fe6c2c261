"""The outbox: what a transaction announces is in it, until the relay has published it."""

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
    """Announce events with the transaction: both or neither, in this order.

    Their keys say on which partitions they will stand; whoever knows that already names them.
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


async def add_raw(  # noqa: PLR0913 - a record has so many parts
    tx: Tx,
    *,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[Header],
    partition: int | None = None,
) -> None:
    """Announce a record as it is, byte for byte: what is said of dead letters, and a redrive."""
    await _insert(tx, [(topic, key, value, packed(headers), partition)])


async def unsent(tx: Tx) -> int:
    """Measure how far the relay is behind, in rows: at most so many wait."""
    rows: int = await tx.fetchval(UNSENT)
    return rows


async def wait_until_short(session: Tx, *, until: asyncio.Event) -> bool:
    """Wait until the relay has little left to publish; False once ``until`` is set.

    Bulk work waits for this: what becomes urgent meanwhile queues behind it.
    """
    while not until.is_set():
        if await unsent(session) <= _SHORT:
            return True
        await wait_at_most(until.wait(), _SHORT_LOOK_S)
    return False


async def age_s(tx: Tx) -> float:
    """Measure how long the oldest row has waited for the relay, in seconds."""
    age: float = await tx.fetchval(AGE)
    return age


async def _insert(tx: Tx, rows: Sequence[_Row]) -> None:
    if rows:
        await tx.copy("outbox", COLUMNS, rows)
        tx.announces = True


def packed(headers: Iterable[Header]) -> str:
    """Write headers as JSON; their bytes are read as Latin-1, which has a letter for each."""
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
    """Read back what `packed` wrote."""
    pairs = from_json(text)
    return [(name, None if value is None else value.encode("latin-1")) for name, value in pairs]
