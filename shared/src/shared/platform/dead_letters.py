"""Dead letters: records that can never be handled, or sent, are parked with a reason.

The record is stored unchanged in the service's own database, where an erasure finds it and a
redrive sends it again. The topic ``<service>.dead-letters.v1`` reports the record's origin and the
reason in ``dl-*`` headers, and nothing of its content.
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
from shared.platform.admin_api import DeadLetterCount, DeadLetters
from shared.platform.postgres import Tx
from shared.platform.processed_events import Prune
from shared.platform.publisher import Outgoing

__all__ = [
    "UNDECODABLE",
    "DeadLetter",
    "all_parked",
    "containing",
    "counted",
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
"""The reason of a batch that cannot be decoded. It holds no usable record: never redriven."""
_DETAIL_MAX: Final = 2000
_REDRIVEN_MAX: Final = 100
"""How many are redriven in one transaction."""

PARK: Final = """
    INSERT INTO dead_letter (topic, partition, record_offset, reason, detail, key, value, headers)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
"""
ALL_PARKED: Final = "SELECT * FROM dead_letter ORDER BY id"
COUNTS: Final = """
    SELECT topic, reason, count(*) AS records, max(id) AS last_id FROM dead_letter
    GROUP BY topic, reason ORDER BY topic, reason
"""
NEXT: Final = """
    SELECT * FROM dead_letter WHERE id <= $1 AND reason <> $2 ORDER BY id LIMIT $3 FOR UPDATE
"""
CONTAINING: Final = """
    SELECT * FROM dead_letter
    WHERE EXISTS (SELECT FROM unnest($1::bytea[]) AS sought
                  WHERE position(sought IN value) > 0 OR position(sought IN key) > 0)
       OR EXISTS (SELECT FROM unnest($2::text[]) AS sought WHERE position(sought IN headers) > 0)
    ORDER BY id FOR UPDATE
"""
DELETE: Final = "DELETE FROM dead_letter WHERE id = ANY($1::bigint[])"
PRUNE: Final = """
    DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE parked_at < now() - $1::interval LIMIT $2
    )
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record, unchanged, with its origin and the reason.

    An outgoing record that the broker refused has no offset, and a partition only if the outbox
    named one.
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
    """Derive a record's id from its position and its content: a second read gives the same id.

    The position alone is not enough: a topic that is deleted and created again has other records
    at the same offsets.
    """
    content = blake2b(record.value or b"", digest_size=16)
    content.update(repr((record.value is None, record.key, tuple(record.headers))).encode())
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return uuid5(NAMESPACE, f"{place}/{content.hexdigest()}")


async def park(tx: Tx, record: Record, why: Poison, *, service: str, attempts: int) -> None:
    """Park a record in the transaction and report it on the topic of dead letters."""
    number = await _keep(tx, record, why)
    headers = headers_of(number, record, why, service=service, attempts=attempts)
    await _report(tx, number, headers, service)
    telemetry.DEAD_LETTERS.labels(why.reason).inc()


async def park_refused(
    tx: Tx, refused: Outgoing, why: Poison, *, service: str, attempts: int
) -> None:
    """Park an outgoing record that the broker refuses, and report it.

    A refused report of another dead letter is parked, too, but not reported: no endless loop.
    """
    number = await _keep(tx, refused, why)
    telemetry.DEAD_LETTERS.labels(why.reason).inc()
    if refused.topic != dead_letter_topic(service):
        headers = headers_of(number, refused, why, service=service, attempts=attempts)
        await _report(tx, number, headers, service)


async def _keep(tx: Tx, record: Record | Outgoing, why: Poison) -> int:
    number: int = await tx.fetchval(
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
    return number


async def _report(tx: Tx, number: int, headers: list[Header], service: str) -> None:
    await outbox.add_raw(
        tx, topic=dead_letter_topic(service), key=str(number).encode(), value=None, headers=headers
    )


def _offset_of(record: Record | Outgoing) -> int | None:
    return record.offset if isinstance(record, Record) else None


def headers_of(
    number: int, record: Record | Outgoing, why: Poison, *, service: str, attempts: int
) -> list[Header]:
    """Build the headers that report a dead letter: its number, the record's origin, the reason.

    For an outgoing record, the topic is the one it was meant for.
    """
    values = {
        "id": number,
        "topic": record.topic,
        "partition": record.partition,
        "offset": _offset_of(record),
        "service": service,
        "reason": why.reason,
        "detail": _detail(why),
        "attempts": attempts,
    }
    return [(f"dl-{name}", str(one).encode()) for name, one in values.items() if one is not None]


def reason_of(headers: Sequence[Header]) -> str:
    """Read the reason from the headers of a reported dead letter."""
    return (dict(headers).get("dl-reason") or b"unknown").decode(errors="replace")


async def all_parked(tx: Tx) -> list[DeadLetter]:
    """Read all dead letters, in the order in which they were parked."""
    return [_dead_letter(row) for row in await tx.fetch(ALL_PARKED)]


async def containing(tx: Tx, sought: Sequence[bytes]) -> list[DeadLetter]:
    """Read and lock the dead letters that contain at least one of these byte strings."""
    in_headers = [one.decode("latin-1") for one in sought if 0 not in one]
    return [_dead_letter(row) for row in await tx.fetch(CONTAINING, sought, in_headers)]


async def counted(tx: Tx) -> DeadLetters:
    """Count all dead letters, by topic and reason."""
    rows = await tx.fetch(COUNTS)
    return DeadLetters(
        last_id=max((row["last_id"] for row in rows), default=0),
        counts=[DeadLetterCount.model_validate(dict(row)) for row in rows],
    )


async def redrive(tx: Tx, last_id: int, limit: int = _REDRIVEN_MAX) -> list[DeadLetter]:
    """Send the oldest letters up to a number to their topics again, unchanged; return those sent.

    An undecodable batch stays parked: it holds no record that could be sent.
    """
    rows = await tx.fetch(NEXT, last_id, UNDECODABLE, limit)
    letters = [_dead_letter(row) for row in rows]
    await delete(tx, letters)
    for letter in letters:
        await outbox.add_raw(
            tx,
            topic=letter.topic,
            key=letter.key,
            value=letter.value,
            headers=letter.headers,
            partition=letter.partition if letter.offset is None else None,
        )
    return letters


async def delete(tx: Tx, letters: Sequence[DeadLetter]) -> None:
    """Delete dead letters."""
    await tx.execute(DELETE, [letter.id for letter in letters])


def prune_after(kept: timedelta) -> Prune:
    """Make the function that deletes dead letters parked longer ago than ``kept``."""
    return partial(_prune, kept=kept)


async def _prune(tx: Tx, *, limit: int, kept: timedelta) -> int:
    return int((await tx.execute(PRUNE, kept, limit)).removeprefix("DELETE "))


def _detail(why: Poison) -> str:
    """Return the detail, shortened, without what PostgreSQL cannot store: NUL, lone surrogates."""
    whole = why.detail.replace("\0", "").encode(errors="replace")
    return whole[:_DETAIL_MAX].decode(errors="ignore")


def _dead_letter(row: Any) -> DeadLetter:  # noqa: ANN401 - a row
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
