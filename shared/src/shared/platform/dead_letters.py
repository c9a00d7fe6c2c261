"""Dead letters: what can never be handled, or sent, is parked, byte for byte, with its reason.

The record as it was lies in the service's own database, where an erasure finds it and a redrive
takes it up again. ``<service>.dead-letters.v1`` says where it came from and why it lies aside, in
``dl-*`` headers, and holds nothing of what was in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID, uuid5

from shared.basics.errors import Poison
from shared.events import NAMESPACE, dead_letter_topic
from shared.events.codec import Header, Record
from shared.platform import outbox, telemetry
from shared.platform.postgres import Tx
from shared.platform.processed_events import Prune
from shared.platform.publisher import Outgoing

__all__ = [
    "UNDECODABLE",
    "DeadLetter",
    "all_parked",
    "containing",
    "delete",
    "headers_of",
    "id_of",
    "park",
    "park_refused",
    "prune_after",
    "reason_of",
    "redrive",
]

UNDECODABLE: Final = "undecodable_batch"
"""The reason of what is no record: a batch that cannot be decoded, which is never redriven."""
_DETAIL_MAX: Final = 2000

PARK: Final = """
    INSERT INTO dead_letter (topic, partition, record_offset, reason, detail, key, value, headers)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
"""
LYING: Final = "SELECT * FROM dead_letter ORDER BY id"
NAMING: Final = """
    SELECT * FROM dead_letter
    WHERE EXISTS (SELECT FROM unnest($1::bytea[]) AS sought
                  WHERE position(sought IN value) > 0 OR position(sought IN key) > 0)
       OR EXISTS (SELECT FROM unnest($2::text[]) AS sought WHERE position(sought IN headers) > 0)
    ORDER BY id FOR UPDATE
"""
DROP: Final = "DELETE FROM dead_letter WHERE id = ANY($1::bigint[]) RETURNING id"
FORGET: Final = """
    DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE parked_at < now() - $1::interval LIMIT $2
    )
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record as it was, with the place it came from and the reason.

    One of ours that the broker refused has no offset, and a partition only if it needs that one.
    """

    id: int
    topic: str
    partition: int | None
    offset: int | None
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]


def id_of(record: Record) -> UUID:
    """Name a record by its place and its content: read again, it is known.

    Not by its place alone: when a topic is created again, other records stand at the same places.
    """
    content = blake2b(record.value or b"", digest_size=16)
    content.update(repr((record.value is None, record.key, tuple(record.headers))).encode())
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return uuid5(NAMESPACE, f"{place}/{content.hexdigest()}")


async def park(tx: Tx, record: Record, why: Poison, *, service: str, attempts: int) -> None:
    """Put a record aside with the transaction, and say so."""
    letter = await _keep(tx, record, why)
    marks = headers_of(letter, record, why, service=service, attempts=attempts)
    await _say(tx, letter, marks, service)
    telemetry.DEAD_LETTERS.labels(why.reason).inc()


async def park_refused(
    tx: Tx, refused: Outgoing, why: Poison, *, service: str, attempts: int
) -> None:
    """Put aside a record of ours that the broker does not take, and say so.

    Of one that was to say of another that it lies aside, nothing more is said.
    """
    letter = await _keep(tx, refused, why)
    telemetry.DEAD_LETTERS.labels(why.reason).inc()
    if refused.topic != dead_letter_topic(service):
        marks = headers_of(letter, refused, why, service=service, attempts=attempts)
        await _say(tx, letter, marks, service)


async def _keep(tx: Tx, record: Record | Outgoing, why: Poison) -> int:
    letter: int = await tx.fetchval(
        PARK,
        record.topic,
        record.partition,
        _offset_of(record),
        why.reason,
        _detail(why),
        record.key,
        record.value,
        outbox.packed(record.headers),
    )
    return letter


async def _say(tx: Tx, letter: int, marks: list[Header], service: str) -> None:
    await outbox.add_raw(
        tx, topic=dead_letter_topic(service), key=str(letter).encode(), value=None, headers=marks
    )


def _offset_of(record: Record | Outgoing) -> int | None:
    return record.offset if isinstance(record, Record) else None


def headers_of(
    letter: int, record: Record | Outgoing, why: Poison, *, service: str, attempts: int
) -> list[Header]:
    """Say whence a record came, why it lies aside, and under which number.

    One of ours that was refused came from nowhere: its topic is where it was to go.
    """
    marks = {
        "id": letter,
        "topic": record.topic,
        "partition": record.partition,
        "offset": _offset_of(record),
        "service": service,
        "reason": why.reason,
        "detail": _detail(why),
        "attempts": attempts,
    }
    return [(f"dl-{name}", str(mark).encode()) for name, mark in marks.items() if mark is not None]


def reason_of(headers: Sequence[Header]) -> str:
    """Read why a record was parked, from what was said of it."""
    return (dict(headers).get("dl-reason") or b"unknown").decode(errors="replace")


async def all_parked(tx: Tx) -> list[DeadLetter]:
    """Read all that lie aside, in the order in which they were parked."""
    return [_letter(row) for row in await tx.fetch(LYING)]


async def containing(tx: Tx, sought: Sequence[bytes]) -> list[DeadLetter]:
    """Read and lock those in which one of some byte strings occurs."""
    in_headers = [one.decode("latin-1") for one in sought if 0 not in one]
    return [_letter(row) for row in await tx.fetch(NAMING, sought, in_headers)]


async def redrive(tx: Tx, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Send those that still lie aside to where they came from, or were to go, byte for byte.

    A batch that could not be decoded stays: it is no record that could be sent.
    """
    records = [letter for letter in letters if letter.reason != UNDECODABLE]
    there = await delete(tx, records)
    sent = [letter for letter in records if letter.id in there]
    for letter in sent:
        await outbox.add_raw(
            tx,
            topic=letter.topic,
            key=letter.key,
            value=letter.value,
            headers=letter.headers,
            partition=letter.partition if letter.offset is None else None,
        )
    return sent


async def delete(tx: Tx, letters: Sequence[DeadLetter]) -> set[int]:
    """Forget some for good; the numbers of those that still lay aside come back."""
    return {row["id"] for row in await tx.fetch(DROP, [letter.id for letter in letters])}


def prune_after(kept: timedelta) -> Prune:
    """Say how to drop what has lain aside for so long."""
    return partial(_forget, kept=kept)


async def _forget(tx: Tx, *, limit: int, kept: timedelta) -> int:
    return int((await tx.execute(FORGET, kept, limit)).removeprefix("DELETE "))


def _detail(why: Poison) -> str:
    """Leave out what PostgreSQL keeps in no text: NUL, and halves of characters."""
    whole = why.detail.replace("\0", "").encode(errors="replace")
    return whole[:_DETAIL_MAX].decode(errors="ignore")


def _letter(row: Any) -> DeadLetter:  # noqa: ANN401 - a row
    return DeadLetter(
        id=row["id"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        reason=row["reason"],
        detail=row["detail"],
        key=row["key"],
        value=row["value"],
        headers=outbox.unpacked(row["headers"]),
    )
