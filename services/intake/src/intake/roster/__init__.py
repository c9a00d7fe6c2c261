"""What intake knows of the roster: the languages in which premium tickets are answered."""

from collections.abc import Sequence

from intake.store import roster as roster_store
from shared.events import Envelope, Event, SpecialistListed, SpecialistRemoved
from shared.platform.postgres import Tx

__all__ = ["keep"]


async def keep(tx: Tx, told: Sequence[Envelope[Event]]) -> None:
    """Keep what is new about specialists; others' events are passed over."""
    listed = []
    for envelope in told:
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
