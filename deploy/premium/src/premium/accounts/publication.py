"""Puts accounts on the compacted topic ``accounts.v1``, and knows which were there before."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import uuid5

from premium.accounts.answers import Answers, Became
from premium.compacted import told
from premium.listings import listing, publisher_of
from premium.policy.publication import now
from premium.profile import Profile
from shared.events import EVERYONE, NAMESPACE, AccountListed, AccountPart, Envelope
from shared.platform.publisher import Outgoing

__all__ = ["current", "publish", "publish_and_hear", "records"]

_PEOPLE_BYTES_MAX: Final = 128 * 1024
"""A part of this many bytes of people is a record that every reader takes (VALUE_BYTES_MAX)."""
_JSON_BYTES: Final = 3
"""What JSON puts around a name."""


def records(accounts: Iterable[AccountListed], at: datetime) -> Iterator[Outgoing]:
    """Lay accounts out as records that count from ``at`` on, the large ones in parts."""
    return (record for account in accounts for _, record in _laid_out(account, at))


async def publish(profile: Profile, accounts: Iterable[AccountListed]) -> None:
    """Publish accounts as of now. Raises Transient while a server is away."""
    publisher = publisher_of(profile)
    try:
        await publisher.publish(records(accounts, await now(profile)))
    finally:
        await publisher.stop()


async def publish_and_hear(
    profile: Profile, accounts: Iterable[AccountListed]
) -> Mapping[str, Became]:
    """Publish accounts as of now; what intake says became of each comes back.

    Raises Transient while a server is away, or when intake does not answer.
    """
    at = await now(profile)
    laid_out = [pair for account in accounts for pair in _laid_out(account, at)]
    publisher = publisher_of(profile)
    async with aclosing(Answers(profile.kafka_bootstrap, profile.topic_prefix)) as answers:
        await answers.listen()
        try:
            await publisher.publish(record for _, record in laid_out)
        finally:
            await publisher.stop()
        return await answers.hear({str(envelope.id) for envelope, _ in laid_out})


async def current(bootstrap: str, topic_prefix: str = "") -> dict[str, AccountListed]:
    """Read every account as it was told last. Raises Transient while the broker is away.

    Of a listing in parts all must be there; else what was told before counts.
    """
    found: dict[str, AccountListed] = {}
    events = [
        (e.event.account_id, e.time, e.event)
        for e in await told(bootstrap, AccountListed, topic_prefix)
    ]
    events.sort(key=lambda event: event[:2])
    for (account_id, _), listings in groupby(events, key=lambda event: event[:2]):
        whole = _joined([event for _, _, event in listings])
        if whole is not None:
            found[account_id] = whole
    return found


def _laid_out(
    account: AccountListed, at: datetime
) -> Iterator[tuple[Envelope[AccountListed], Outgoing]]:
    cause = uuid5(NAMESPACE, f"account/{account.account_id}/{at.isoformat()}")
    parts = [*_parts(account)]
    for number, part in enumerate(parts, 1):
        if len(parts) == 1:
            envelope = Envelope.caused_by(cause, account, source="premium", time=at)
            yield envelope, listing(envelope)
            return
        one = part.model_copy(update={"part": AccountPart(number=number, of=len(parts))})
        envelope = Envelope.caused_by(uuid5(cause, str(number)), one, source="premium", time=at)
        plain = listing(envelope)
        key = f"{account.account_id}{AccountListed.PART_MARK}{number}".encode()
        yield envelope, Outgoing(plain.topic, key, plain.value, plain.headers)


def _parts(account: AccountListed) -> Iterator[AccountListed]:
    """Divide an account's people among as many records as it takes."""
    seats = account.seats if not isinstance(account.seats, str) else ()
    people = [(p, True) for p in sorted(account.super_admins)] + [(p, False) for p in sorted(seats)]
    some: list[tuple[str, bool]] = []
    size = 0
    for person, super_admin in people:
        bytes_more = len(person.encode()) + _JSON_BYTES
        if some and size + bytes_more > _PEOPLE_BYTES_MAX:
            yield _with(account, some)
            some, size = [], 0
        some.append((person, super_admin))
        size += bytes_more
    yield _with(account, some)


def _with(account: AccountListed, people: list[tuple[str, bool]]) -> AccountListed:
    update: dict[str, object] = {"super_admins": frozenset(p for p, admin in people if admin)}
    if account.seats != EVERYONE:
        update["seats"] = frozenset(p for p, admin in people if not admin)
    return account.model_copy(update=update)


def _joined(parts: list[AccountListed]) -> AccountListed | None:
    """Put a listing together again; None while a part of it is missing."""
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
