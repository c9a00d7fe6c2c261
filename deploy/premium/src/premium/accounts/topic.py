"""Accounts on the compacted topic ``accounts.v1``."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import uuid5

from premium.accounts.replies import Import, Replies
from premium.api import now
from premium.profile import Profile
from premium.topics import compacted_record, events_of
from premium.topics import publish as publish_records
from shared.events import EVERYONE, NAMESPACE, AccountListed, AccountPart, Envelope
from shared.platform.publisher import Outgoing

__all__ = ["current", "publish", "publish_and_wait", "records"]

_PEOPLE_BYTES_MAX: Final = 128 * 1024
"""With so many bytes of names a record stays below the limit of its readers (VALUE_BYTES_MAX)."""
_JSON_BYTES: Final = 3
"""Two quotes and a comma around each name."""


def records(accounts: Iterable[AccountListed], at: datetime) -> Iterator[Outgoing]:
    """Write accounts as records that take effect at ``at``, large accounts as several parts."""
    return (record for account in accounts for _, record in _written(account, at))


async def publish(profile: Profile, accounts: Iterable[AccountListed]) -> None:
    """Publish accounts as of now.

    Raises:
        Transient: Kafka is unreachable.
        CommandError: intake is unreachable.
    """
    await publish_records(profile, records(accounts, await now(profile)))


async def publish_and_wait(
    profile: Profile, accounts: Iterable[AccountListed]
) -> Mapping[str, Import]:
    """Publish accounts as of now, and return intake's reply about each.

    Raises:
        Transient: Kafka is unreachable, or intake does not reply.
        CommandError: intake is unreachable.
    """
    at = await now(profile)
    written = [pair for account in accounts for pair in _written(account, at)]
    async with aclosing(Replies(profile.kafka_bootstrap, profile.topic_prefix)) as replies:
        await replies.start()
        await publish_records(profile, (record for _, record in written))
        return await replies.to({str(envelope.id) for envelope, _ in written})


async def current(bootstrap: str, topic_prefix: str = "") -> dict[str, AccountListed]:
    """Read each account's latest complete listing: a listing that lacks a part does not count.

    Raises:
        Transient: Kafka is unreachable.
    """
    found: dict[str, AccountListed] = {}
    events = [
        (e.event.account_id, e.time, e.event)
        for e in await events_of(bootstrap, AccountListed, topic_prefix)
    ]
    events.sort(key=lambda event: event[:2])
    for (account_id, _), listings in groupby(events, key=lambda event: event[:2]):
        whole = _joined([event for _, _, event in listings])
        if whole is not None:
            found[account_id] = whole
    return found


def _written(
    account: AccountListed, at: datetime
) -> Iterator[tuple[Envelope[AccountListed], Outgoing]]:
    cause = uuid5(NAMESPACE, f"account/{account.account_id}/{at.isoformat()}")
    parts = [*_parts(account)]
    for number, part in enumerate(parts, 1):
        if len(parts) == 1:
            envelope = Envelope.caused_by(cause, account, source="premium", time=at)
            yield envelope, compacted_record(envelope)
            return
        one = part.model_copy(update={"part": AccountPart(number=number, of=len(parts))})
        envelope = Envelope.caused_by(uuid5(cause, str(number)), one, source="premium", time=at)
        plain = compacted_record(envelope)
        key = f"{account.account_id}{AccountListed.PART_MARK}{number}".encode()
        yield envelope, Outgoing(plain.topic, key, plain.value, plain.headers)


def _parts(account: AccountListed) -> Iterator[AccountListed]:
    """Split an account's people over as many records as they need."""
    seats = account.seats if not isinstance(account.seats, str) else ()
    people = [(p, True) for p in sorted(account.super_admins)] + [(p, False) for p in sorted(seats)]
    chunk: list[tuple[str, bool]] = []
    size = 0
    for person, super_admin in people:
        bytes_more = len(person.encode()) + _JSON_BYTES
        if chunk and size + bytes_more > _PEOPLE_BYTES_MAX:
            yield _with(account, chunk)
            chunk, size = [], 0
        chunk.append((person, super_admin))
        size += bytes_more
    yield _with(account, chunk)


def _with(account: AccountListed, people: list[tuple[str, bool]]) -> AccountListed:
    update: dict[str, object] = {"super_admins": frozenset(p for p, admin in people if admin)}
    if account.seats != EVERYONE:
        update["seats"] = frozenset(p for p, admin in people if not admin)
    return account.model_copy(update=update)


def _joined(parts: list[AccountListed]) -> AccountListed | None:
    """Join the parts of a listing; return None if one is missing."""
    *_, last = parts
    if last.part is None:
        return last
    if {p.part.number for p in parts if p.part} != set(range(1, last.part.of + 1)):
        return None
    people: dict[str, object] = {
        "super_admins": frozenset[str]().union(*(p.super_admins for p in parts)),
        "part": None,
    }
    if last.seats != EVERYONE:
        people["seats"] = frozenset[str]().union(*(p.seats for p in parts))
    return last.model_copy(update=people)
