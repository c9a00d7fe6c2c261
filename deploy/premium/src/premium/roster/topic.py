"""The roster on the compacted topic ``specialists.v1``."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid5

from premium.api import admin_api, now
from premium.profile import Profile
from premium.topics import compacted_record, latest
from premium.topics import publish as publish_records
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import NAMESPACE, Envelope, SpecialistListed, SpecialistRemoved
from shared.platform.admin_api import SpecialistRecord
from shared.platform.publisher import Outgoing

__all__ = ["current", "publish", "publish_and_wait", "records", "with_current_presence"]

_SOURCE: Final = "roster"
_READ_S_MAX: Final = 60
_POLL_S: Final = 0.25


def records(specialists: Iterable[SpecialistListed], at: datetime) -> Iterator[Outgoing]:
    """Write specialists as records that take effect at ``at``."""
    for specialist in specialists:
        cause = uuid5(NAMESPACE, f"roster/{specialist.specialist_id}/{at.isoformat()}")
        yield compacted_record(Envelope.caused_by(cause, specialist, source=_SOURCE, time=at))


async def publish(profile: Profile, specialists: Iterable[SpecialistListed]) -> None:
    """Publish specialists as of now.

    Raises:
        Transient: Kafka is unreachable.
        CommandError: intake is unreachable.
    """
    await publish_records(profile, records(specialists, await now(profile)))


async def publish_and_wait(profile: Profile, specialists: Sequence[SpecialistListed]) -> None:
    """Publish specialists as of now, and wait until router has read them.

    Raises:
        Transient: Kafka is unreachable, or router does not read them.
        CommandError: intake or router is unreachable; then nothing is published.
    """
    at = await now(profile)
    await _listed_at(profile)
    await publish_records(profile, records(specialists, at))
    waiting = {one.specialist_id for one in specialists}
    until_s = elapsed_s() + _READ_S_MAX
    while waiting:
        listed_at = await _listed_at(profile)
        waiting = {one for one in waiting if one not in listed_at or listed_at[one] < at}
        if waiting and elapsed_s() > until_s:
            raise Transient(
                f"all is published, but router has not read {len(waiting)} of {len(specialists)}"
                f" records in {_READ_S_MAX} s; it takes them once it reads its topics"
            )
        if waiting:
            await wait_at_most(asyncio.Event().wait(), _POLL_S)


async def _listed_at(profile: Profile) -> Mapping[str, datetime]:
    """Return the time of router's latest record about each specialist."""
    found = await admin_api(profile, "router").get("/specialists", list[SpecialistRecord])
    return {one.specialist_id: one.listed_at for one in found}


async def current(bootstrap: str, topic_prefix: str = "") -> dict[str, SpecialistListed]:
    """Read the present roster, by specialist id. Raises Transient if Kafka is unreachable."""
    found = await latest(bootstrap, (SpecialistListed, SpecialistRemoved), topic_prefix)
    return {one.specialist_id: one for one in found if isinstance(one, SpecialistListed)}


def with_current_presence(
    before: Mapping[str, SpecialistListed], found: Iterable[SpecialistListed]
) -> Iterator[SpecialistListed]:
    """Keep the present presence of each specialist for whom the file states none."""
    for one in found:
        old = before.get(one.specialist_id)
        if old is None or "presence" in one.model_fields_set:
            yield one
        else:
            yield one.model_copy(update={"presence": old.presence})
