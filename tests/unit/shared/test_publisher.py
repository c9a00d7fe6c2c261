"""The partition of a key is the one that other Kafka clients compute."""

from uuid import UUID

from aiokafka.partitioner import DefaultPartitioner

from shared.platform.publisher import partition_of


def test_a_keys_partition_is_that_of_other_clients() -> None:
    """All facts of a ticket are on one partition, whichever client writes them."""
    theirs = DefaultPartitioner()
    places = list(range(12))
    keys = [str(UUID(int=number)).encode() for number in range(200)]
    assert [partition_of(key, 12) for key in keys] == [theirs(key, places, places) for key in keys]
    assert {partition_of(key, 12) for key in keys} == set(places)
