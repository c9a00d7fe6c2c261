"""A member of a consumer group is known by its name, and by what it reads."""

from shared.platform.consumer import ConsumerConnection


def test_a_member_with_other_topics_is_another_member() -> None:
    """Kafka would give the one it knows what it had, and a new topic to nobody."""
    connection = ConsumerConnection("localhost:9092", "intake", instance_id="one")
    before = connection.member(["a.v1", "b.v1"])
    assert connection.member(["b.v1", "a.v1"]) == before
    assert connection.member(["a.v1", "b.v1", "c.v1"]) != before


def test_without_a_name_kafka_names_the_member() -> None:
    """It then leaves its partitions when it stops."""
    assert ConsumerConnection("localhost:9092", "intake").member(["a.v1"]) is None
