"""The roster on the compacted topic ``specialists.v1``."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import uuid5

from premium.database import now
from premium.profile import Profile
from premium.topics import compacted_record, latest
from premium.topics import publish as publish_records
from shared.events import NAMESPACE, Envelope, SpecialistListed, SpecialistRemoved
from shared.platform.publisher import Outgoing

__all__ = ["current", "publish", "records", "with_current_presence"]

_SOURCE: Final = "roster"


def records(specialists: Iterable[SpecialistListed], at: datetime) -> Iterator[Outgoing]:
    """Write specialists as records that take effect at ``at``."""
    for specialist in specialists:
        cause = uuid5(NAMESPACE, f"roster/{specialist.specialist_id}/{at.isoformat()}")
        yield compacted_record(Envelope.caused_by(cause, specialist, source=_SOURCE, time=at))


async def publish(profile: Profile, specialists: Iterable[SpecialistListed]) -> None:
    """Publish specialists as of now.

    Raises:
        Transient: Kafka is unreachable.
        CommandError: intake's database is unreachable.
    """
    await publish_records(profile, records(specialists, await now(profile)))


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
