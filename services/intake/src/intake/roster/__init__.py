"""The part of the roster that intake saves: the languages of certified specialists."""

from collections.abc import Sequence

from intake.store import roster as roster_store
from shared.events import Envelope, Event, SpecialistListed, SpecialistRemoved
from shared.platform.postgres import Tx

__all__ = ["save"]


async def save(tx: Tx, events: Sequence[Envelope[Event]]) -> None:
    """Save the languages of listed specialists; those removed or not certified have none."""
    listed = []
    for envelope in events:
        match envelope.event:
            case SpecialistListed() as one:
                languages = one.languages if one.certified else ()
                listed.append((one.specialist_id, languages, envelope.time))
            case SpecialistRemoved(specialist_id=specialist_id):
                listed.append((specialist_id, (), envelope.time))
            case _:
                pass
    if listed:
        await roster_store.save_specialists(tx, listed)
