"""The member name of a consumer depends on its instance and its topics."""

from shared.platform.consumer import ConsumerConnection


def test_a_member_with_other_topics_is_another_member() -> None:
    """Otherwise Kafka would keep its old assignment and never assign a new topic."""
    connection = ConsumerConnection("localhost:9092", "intake", instance_id="one")
    before = connection.member(["a.v1", "b.v1"])
    assert connection.member(["b.v1", "a.v1"]) == before
    assert connection.member(["a.v1", "b.v1", "c.v1"]) != before


def test_without_an_instance_id_kafka_names_the_member() -> None:
    """Without an instance id, the member leaves the group when it stops."""
    assert ConsumerConnection("localhost:9092", "intake").member(["a.v1"]) is None
