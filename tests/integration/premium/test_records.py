"""One record by hand: sent to a topic, read from it by its key."""

import pytest

from premium.records import consumed, produced
from shared.errors import Transient
from shared.publisher import Outgoing
from shared.testing.topics import Topics


async def test_what_is_sent_is_read_by_its_key(topics: Topics) -> None:
    """Byte for byte, and none of its neighbours."""
    await topics.create("inbound.v1")
    name = topics.prefix + "inbound.v1"
    await topics.send([Outgoing("inbound.v1", b"b", b"3", [])])
    for value in (b"1\n2", b"4"):
        await produced(topics.bootstrap, name, b"a", value)
    assert await consumed(topics.bootstrap, name, b"a") == [b"1\n2", b"4"]


async def test_a_key_is_found_wherever_it_lies(topics: Topics) -> None:
    """Other libraries choose partitions otherwise."""
    await topics.create("inbound.v1")
    await topics.send(
        Outgoing("inbound.v1", b"a", str(n).encode(), [], partition=n) for n in range(3)
    )
    found = await consumed(topics.bootstrap, topics.prefix + "inbound.v1", b"a")
    assert sorted(found) == [b"0", b"1", b"2"]


async def test_a_topic_that_is_not_there_is_not_made(topics: Topics) -> None:
    """Who mistypes a topic is told so."""
    name = topics.prefix + "inbond.v1"
    with pytest.raises(Transient, match=f"Kafka has no topic {name}"):
        await produced(topics.bootstrap, name, b"a", b"1")
    with pytest.raises(Transient, match=f"Kafka has no topic {name}"):
        await consumed(topics.bootstrap, name, b"a")
