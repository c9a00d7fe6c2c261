"""On a real Kafka, the roster holds the specialists that were listed and not removed since."""

from datetime import timedelta

from premium.roster.topic import current, records
from premium.topics import compacted_record
from shared.events import SpecialistListed
from shared.testing.builders import NOON, a_specialist, removed
from shared.testing.topics import Topics


async def test_a_removed_specialist_is_not_on_the_roster(topics: Topics) -> None:
    """An import that lists the specialist again adds them again."""
    await topics.create(SpecialistListed.topic)
    shifts = {"zone": "Asia/Tokyo", "hours": {"mon-fri": ["22:00-06:00"]}}
    ann, bo = (a_specialist(name, shifts=shifts).event for name in ("ann", "bo"))
    assert isinstance(ann, SpecialistListed)
    assert isinstance(bo, SpecialistListed)
    await topics.send([*records([ann, bo], NOON), compacted_record(removed("bo", after_min=1))])
    assert await current(topics.bootstrap, topics.prefix) == {"ann": ann}
    await topics.send(records([bo], NOON + timedelta(hours=1)))
    assert await current(topics.bootstrap, topics.prefix) == {"ann": ann, "bo": bo}
