"""What is written down twice agrees: topics, and the events that go to them."""

from pathlib import Path

import yaml

from shared.events import CATALOGUE, INBOUND_TOPIC, TicketEvent, dead_letter_topic

ROOT = Path(__file__).parents[2]
SERVICES = ("intake", "router", "sla-monitor", "notifier")


def test_the_topics_are_those_of_the_catalogue() -> None:
    """topics.yaml makes exactly the topics that events, requests and dead letters go to."""
    written = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text())
    events = {event.topic for event in CATALOGUE.values()}
    parked = {dead_letter_topic(service) for service in SERVICES}
    assert sorted(t["name"] for t in written) == sorted({INBOUND_TOPIC, *events, *parked})


def test_topics_of_tickets_have_equal_partitions() -> None:
    """A ticket's facts lie in the same partition of every topic, so one reader gets them all."""
    written = yaml.safe_load((ROOT / "deploy" / "topics.yaml").read_text())
    of_tickets = {e.topic for e in CATALOGUE.values() if issubclass(e, TicketEvent)}
    counts = {t["partitions"] for t in written if t["name"] in of_tickets}
    assert len(of_tickets) > 1
    assert len(counts) == 1
