"""Account records: decoded, saved part by part, and each answered by an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from intake.store import accounts as account_store
from intake.store.accounts import Listing
from shared.basics.errors import Poison
from shared.events import AccountAnswered, AccountListed, Envelope, Event
from shared.events.codec import Record, Skipped, read
from shared.platform import dead_letters
from shared.platform.postgres import Tx

__all__ = ["AccountRecord", "UnreadableRecord", "decode", "park", "save"]

_SOURCE: Final = "intake"
_PARTS: Final = "; send a larger account in parts (docs/receipts.md)"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A valid record of an account, with the id that its sender gave the record."""

    id: UUID
    envelope: Envelope[AccountListed]
    record_id: str


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """An invalid record whose key names an account: it becomes a dead letter, and is answered."""

    id: UUID
    record: Record
    why: Poison
    account_id: str
    record_id: str


def decode(record: Record) -> AccountRecord | UnreadableRecord | Skipped:
    """Read a record of ``accounts.v1``.

    Raises:
        Poison: The record is invalid, and names no account that could be answered.
    """
    record_id = _text(dict(record.headers).get("ce_id"))
    try:
        found = read(record)
        if isinstance(found, Skipped):
            return found
        return _as_record(found, record_id)
    except Poison as e:
        account_id = _text(record.key).partition(AccountListed.PART_MARK)[0]
        if not account_id or not record_id:
            raise
        detail = e.detail + (_PARTS if e.reason == "too_large" else "")
        why = Poison(e.reason, detail)
        return UnreadableRecord(dead_letters.id_of(record), record, why, account_id, record_id)


def _as_record(found: Envelope[Event], record_id: str = "") -> AccountRecord:
    if not isinstance(found.event, AccountListed):
        raise Poison("bad_data", f"{found.event.type}: send {AccountListed.type} here")
    envelope = Envelope(found.id, found.source, found.time, found.event, found.traceparent)
    return AccountRecord(found.id, envelope, record_id or str(found.id))


async def save(
    tx: Tx, records: Sequence[AccountRecord], now: datetime
) -> tuple[set[str], list[Envelope[Event]]]:
    """Save account records, with their people as digests.

    Returns the ids of the accounts whose version is complete now, and an event that answers each
    record.
    """
    listings = await account_store.save(tx, [(r.envelope.time, r.envelope.event) for r in records])
    by_version = {(x.account_id, x.since): x for x in listings}
    answers = [
        Envelope.caused_by(
            record.id,
            _answer(record, by_version[record.envelope.event.account_id, record.envelope.time]),
            source=_SOURCE,
            time=now,
            traceparent=record.envelope.traceparent,
        )
        for record in records
    ]
    return {x.account_id for x in listings if not x.missing}, [*answers]


async def park(tx: Tx, item: UnreadableRecord, now: datetime) -> Envelope[Event]:
    """Park an unreadable record as a dead letter; return the answer to it."""
    await dead_letters.park(tx, item.record, item.why, service=_SOURCE, attempts=1)
    answer = AccountAnswered(
        account_id=item.account_id,
        record_id=item.record_id,
        outcome="refused",
        reason=item.why.reason,
        remedy=item.why.detail,
    )
    return Envelope.caused_by(item.id, answer, source=_SOURCE, time=now)


def _answer(record: AccountRecord, listing: Listing) -> AccountAnswered:
    if listing.missing:
        return AccountAnswered(
            account_id=listing.account_id,
            record_id=record.record_id,
            outcome="incomplete",
            parts_missing=listing.missing,
        )
    return AccountAnswered(
        account_id=listing.account_id,
        record_id=record.record_id,
        outcome="listed",
        super_admins=listing.super_admins,
        seats=listing.seats,
    )


def _text(raw: bytes | None) -> str:
    """Decode a name, without NUL characters; empty if it is not UTF-8."""
    try:
        return (raw or b"").decode().replace("\0", "")
    except UnicodeDecodeError:
        return ""
