"""The roster on a real Kafka: who is on it is who was listed last, and not removed since."""

from datetime import timedelta

from premium.listings import listing
from premium.roster.publication import current, records
from shared.events import SpecialistListed
from shared.testing.builders import NOON, a_specialist, removed
from shared.testing.topics import Topics


async def test_who_was_removed_is_on_the_roster_no_more(topics: Topics) -> None:
    """So that a file that lists them again brings them back."""
    await topics.create(SpecialistListed.topic)
    shifts = {"zone": "Asia/Tokyo", "hours": {"mon-fri": ["22:00-06:00"]}}
    ann, bo = (a_specialist(name, shifts=shifts).event for name in ("ann", "bo"))
    assert isinstance(ann, SpecialistListed)
    assert isinstance(bo, SpecialistListed)
    await topics.send([*records([ann, bo], NOON), listing(removed("bo", after_min=1))])
    assert await current(topics.bootstrap, topics.prefix) == {"ann": ann}
    await topics.send(records([bo], NOON + timedelta(hours=1)))
    assert await current(topics.bootstrap, topics.prefix) == {"ann": ann, "bo": bo}
