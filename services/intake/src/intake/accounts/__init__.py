"""Accounts as they are told: kept, part by part if they are large, and each record answered."""

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

__all__ = ["Told", "Unlisted", "decode", "keep", "park"]

_SOURCE: Final = "intake"
_PARTS: Final = "; larger accounts come in parts (docs/receipts.md)"


@dataclass(frozen=True, slots=True)
class Told:
    """An account as it was told, and the id by which the sender knows the record."""

    id: UUID
    envelope: Envelope[AccountListed]
    record_id: str


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A record of an account that cannot be read: it is parked, and whose it is, is told."""

    id: UUID
    record: Record
    why: Poison
    account_id: str
    record_id: str


def decode(record: Record) -> Told | Unlisted | Skipped:
    """Read a record of ``accounts.v1``. Raises Poison for one that does not say whose it is."""
    record_id = _text(dict(record.headers).get("ce_id"))
    try:
        found = read(record)
        if isinstance(found, Skipped):
            return found
        return _told(found, record_id)
    except Poison as e:
        account_id = _text(record.key).partition(AccountListed.PART_MARK)[0]
        if not account_id or not record_id:
            raise
        detail = e.detail + (_PARTS if e.reason == "too_large" else "")
        why = Poison(e.reason, detail)
        return Unlisted(dead_letters.id_of(record), record, why, account_id, record_id)


def _told(found: Envelope[Event], record_id: str = "") -> Told:
    if not isinstance(found.event, AccountListed):
        raise Poison("bad_data", f"{found.event.type}: send {AccountListed.type} here")
    envelope = Envelope(found.id, found.source, found.time, found.event, found.traceparent)
    return Told(found.id, envelope, record_id or str(found.id))


async def keep(
    tx: Tx, told: Sequence[Told], now: datetime
) -> tuple[set[str], list[Envelope[Event]]]:
    """Keep what is told, people as digests.

    The accounts that have a listing more come back, and what is said of each record.
    """
    listings = await account_store.save(tx, [(t.envelope.time, t.envelope.event) for t in told])
    stand = {(x.account_id, x.since): x for x in listings}
    answers = [
        Envelope.caused_by(
            t.id,
            _answer(t, stand[t.envelope.event.account_id, t.envelope.time]),
            source=_SOURCE,
            time=now,
            traceparent=t.envelope.traceparent,
        )
        for t in told
    ]
    return {x.account_id for x in listings if not x.missing}, [*answers]


async def park(tx: Tx, item: Unlisted, now: datetime) -> Envelope[Event]:
    """Put aside what cannot be read; what is said of it comes back."""
    await dead_letters.park(tx, item.record, item.why, service=_SOURCE, attempts=1)
    answer = AccountAnswered(
        account_id=item.account_id,
        record_id=item.record_id,
        outcome="refused",
        reason=item.why.reason,
        remedy=item.why.detail,
    )
    return Envelope.caused_by(item.id, answer, source=_SOURCE, time=now)


def _answer(told: Told, listing: Listing) -> AccountAnswered:
    if listing.missing:
        return AccountAnswered(
            account_id=listing.account_id,
            record_id=told.record_id,
            outcome="incomplete",
            parts_missing=listing.missing,
        )
    return AccountAnswered(
        account_id=listing.account_id,
        record_id=told.record_id,
        outcome="listed",
        super_admins=listing.super_admins,
        seats=listing.seats,
    )


def _text(raw: bytes | None) -> str:
    """Read a name as far as one can be put into an answer."""
    try:
        return (raw or b"").decode().replace("\0", "")
    except UnicodeDecodeError:
        return ""
