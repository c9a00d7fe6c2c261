"""Puts accounts on the compacted topic ``accounts.v1``, and knows which were there before."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import uuid5

from premium.compacted import latest
from premium.listings import listing
from premium.policy.publication import now
from premium.stack.addresses import Addresses
from shared.events import NAMESPACE, AccountListed, Envelope
from shared.publisher import Outgoing, Publisher

__all__ = ["current", "publish", "records"]


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
