"""Puts accounts on the compacted topic ``accounts.v1``, and knows which were there before."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import uuid5

from premium.compacted import latest
from premium.policy.publication import now
from premium.roster import listing
from premium.stack.addresses import Addresses
from shared.events import NAMESPACE, AccountListed, Envelope
from shared.publisher import Outgoing, Publisher

__all__ = ["changes", "current", "publish", "records"]


def records(accounts: Iterable[AccountListed], at: datetime) -> Iterator[Outgoing]:
    """Lay accounts out as records that count from ``at`` on."""
    for account in accounts:
        cause = uuid5(NAMESPACE, f"account/{account.account_id}/{at.isoformat()}")
        yield listing(Envelope.caused_by(cause, account, source="premium", time=at))


async def publish(addresses: Addresses, accounts: Iterable[AccountListed]) -> None:
    """Publish accounts as of now. Raises Transient while a server is away."""
    publisher = Publisher(addresses.kafka_bootstrap, service="premium")
    try:
        await publisher.publish(records(accounts, await now(addresses)))
    finally:
        await publisher.stop()


async def current(bootstrap: str) -> dict[str, AccountListed]:
    """Read every account as it was told last. Raises Transient while the broker is away."""
    found = await latest(bootstrap, AccountListed)
    return {account.account_id: account for account in found}


def changes(before: Mapping[str, AccountListed], after: Iterable[AccountListed]) -> Iterator[str]:
    """Say in a line each what an import changes; nothing of an account that stays as it is."""
    for account in after:
        old = before.get(account.account_id)
        if old is None:
            yield f"+ {account.account_id}"
        elif old != account:
            fields = [n for n in type(account).model_fields if _field(old, n) != _field(account, n)]
            yield f"~ {account.account_id}: {', '.join(_told(old, account, n) for n in fields)}"


def _told(old: AccountListed, new: AccountListed, name: str) -> str:
    before, after = _field(old, name), _field(new, name)
    if isinstance(before, frozenset) and isinstance(after, frozenset):
        gone = [f"-{person}" for person in sorted(before - after)]
        come = [f"+{person}" for person in sorted(after - before)]
        return f"{name} {' '.join((*gone, *come))}"
    return f"{name} {_short(before)} -> {_short(after)}"


def _field(account: AccountListed, name: str) -> object:
    value: object = getattr(account, name)
    return value


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(str(part) for part in value) or "none"
    return "none" if value is None else str(value)
