"""Puts specialists on the compacted topic ``specialists.v1``, and knows who was there before."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import uuid5

from premium.compacted import latest
from premium.listings import listing, publisher_of
from premium.policy.publication import now
from premium.profile import Profile
from shared.events import NAMESPACE, Envelope, SpecialistListed, SpecialistRemoved
from shared.platform.publisher import Outgoing

__all__ = ["current", "present", "publish", "records"]

_SOURCE: Final = "roster"


def records(specialists: Iterable[SpecialistListed], at: datetime) -> Iterator[Outgoing]:
    """Lay specialists out as records that count from ``at`` on."""
    for specialist in specialists:
        cause = uuid5(NAMESPACE, f"roster/{specialist.specialist_id}/{at.isoformat()}")
        yield listing(Envelope.caused_by(cause, specialist, source=_SOURCE, time=at))


async def publish(profile: Profile, specialists: Iterable[SpecialistListed]) -> None:
    """Publish specialists as of now. Raises Transient while a server is away."""
    publisher = publisher_of(profile)
    try:
        await publisher.publish(records(specialists, await now(profile)))
    finally:
        await publisher.stop()


async def current(bootstrap: str, topic_prefix: str = "") -> dict[str, SpecialistListed]:
    """Read everybody on the roster as told last. Raises Transient while the broker is away."""
    found = await latest(bootstrap, (SpecialistListed, SpecialistRemoved), topic_prefix)
    return {one.specialist_id: one for one in found if isinstance(one, SpecialistListed)}


def present(
    before: Mapping[str, SpecialistListed], found: Iterable[SpecialistListed]
) -> Iterator[SpecialistListed]:
    """Leave those present or away as they are, of whom the file does not say it."""
    for one in found:
        old = before.get(one.specialist_id)
        if old is None or "presence" in one.model_fields_set:
            yield one
        else:
            yield one.model_copy(update={"presence": old.presence})
