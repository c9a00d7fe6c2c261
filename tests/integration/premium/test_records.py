"""`premium produce` and `consume`: a record is sent to a topic, and read by its key."""

import pytest
from tests.integration.shared import foreign

from premium.records import consumed, produced
from premium.topics import latest
from shared.basics.errors import Transient
from shared.events import SpecialistListed
from shared.events.codec import headers_of, value_of
from shared.platform.publisher import Outgoing
from shared.testing.builders import a_specialist
from shared.testing.topics import Topics


async def test_a_sent_record_is_read_by_its_key(topics: Topics) -> None:
    """Its bytes are unchanged, and records of other keys are left out."""
    await topics.create("inbound.v1")
    name = topics.prefix + "inbound.v1"
    await topics.send([Outgoing("inbound.v1", b"b", b"3", [])])
    for value in (b"1\n2", b"4"):
        await produced(topics.bootstrap, name, b"a", value)
    assert await consumed(topics.bootstrap, name, b"a") == [b"1\n2", b"4"]


async def test_a_key_is_found_on_any_partition(topics: Topics) -> None:
    """Other libraries assign keys to partitions differently."""
    await topics.create("inbound.v1")
    await topics.send(
        Outgoing("inbound.v1", b"a", str(n).encode(), [], partition=n) for n in range(3)
    )
    found = await consumed(topics.bootstrap, topics.prefix + "inbound.v1", b"a")
    assert sorted(found) == [b"0", b"1", b"2"]


async def test_a_missing_topic_is_not_created(topics: Topics) -> None:
    """A mistyped topic is an error."""
    name = topics.prefix + "inbond.v1"
    with pytest.raises(Transient, match=f"Kafka has no topic {name}"):
        await produced(topics.bootstrap, name, b"a", b"1")
    with pytest.raises(Transient, match=f"Kafka has no topic {name}"):
        await consumed(topics.bootstrap, name, b"a")


async def test_every_codec_is_read_and_undecodable_batches_are_ignored(topics: Topics) -> None:
    """This holds for the records of a key, and for the latest events of a compacted topic."""
    await topics.create("specialists.v1", partitions=1)
    listed = a_specialist("ana")
    assert isinstance(listed.event, SpecialistListed)
    record = Outgoing("specialists.v1", b"ana", value_of(listed.event), headers_of(listed))
    await foreign.send(topics, [record], compression_type="zstd")
    await foreign.send_undecodable(topics, [record, record])
    await foreign.send(topics, [record], compression_type="lz4")
    name = topics.prefix + "specialists.v1"
    assert await consumed(topics.bootstrap, name, b"ana") == [record.value] * 2
    assert await latest(topics.bootstrap, SpecialistListed, topics.prefix) == [listed.event]
