"""Dead letters: what can never be handled is parked, byte for byte, with its reason.

A dead letter is the original key, value and headers, and ``dl-*`` headers that say whence it
came and why it lies here. `restored` undoes exactly that, for a redrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from shared import outbox, telemetry
from shared.errors import Poison
from shared.events import NAMESPACE, dead_letter_topic
from shared.events.codec import Header, Record
from shared.postgres import Tx

__all__ = ["DeadLetter", "id_of", "marks_of", "park", "restored"]

_PREFIX: Final = "dl-"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record as it was, with the place it came from and the reason."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]


def id_of(record: Record) -> UUID:
    """Name a record by its place, so that a batch that is read again parks it once."""
    return uuid5(NAMESPACE, f"{record.topic}/{record.partition}/{record.offset}")


async def park(tx: Tx, record: Record, why: Poison, *, service: str, attempts: int) -> None:
    """Put a record aside with the transaction."""
    await outbox.add_raw(
        tx,
        topic=dead_letter_topic(service),
        key=record.key,
        value=record.value,
        headers=[*record.headers, *marks_of(record, why, service=service, attempts=attempts)],
    )
    telemetry.DEAD_LETTERS.labels(why.reason).inc()


def marks_of(
    record: Record, why: Poison, *, service: str, attempts: int
) -> list[tuple[str, bytes]]:
    """Say whence a record came and why it lies aside."""
    return [
        ("dl-topic", record.topic.encode()),
        ("dl-partition", str(record.partition).encode()),
        ("dl-offset", str(record.offset).encode()),
        ("dl-service", service.encode()),
        ("dl-reason", why.reason.encode()),
        ("dl-detail", why.detail.encode()[:2000]),
        ("dl-attempts", str(attempts).encode()),
    ]


def restored(key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> DeadLetter:
    """Read a dead letter back. Raises Poison for a record that is none.

    The last ``dl-`` headers count: the original may have brought some of its own.
    """
    marks = {name: value for name, value in headers[-7:] if name.startswith(_PREFIX)}
    try:
        return DeadLetter(
            topic=(marks["dl-topic"] or b"").decode(),
            partition=int(marks["dl-partition"] or b""),
            offset=int(marks["dl-offset"] or b""),
            reason=(marks["dl-reason"] or b"").decode(),
            detail=(marks["dl-detail"] or b"").decode(errors="replace"),
            key=key,
            value=value,
            headers=list(headers[:-7]),
        )
    except (KeyError, ValueError) as e:
        raise Poison("no_dead_letter", f"the dl-* headers are missing or wrong: {e}") from e
