"""Where a record stands is what any of Kafka's clients would say."""

from uuid import UUID

from aiokafka.partitioner import DefaultPartitioner

from shared.platform.publisher import partition_of


def test_a_key_stands_where_other_clients_would_put_it() -> None:
    """Whoever writes a ticket's facts, they meet on one partition."""
    theirs = DefaultPartitioner()
    places = list(range(12))
    keys = [str(UUID(int=number)).encode() for number in range(200)]
    assert [partition_of(key, 12) for key in keys] == [theirs(key, places, places) for key in keys]
    assert {partition_of(key, 12) for key in keys} == set(places)
