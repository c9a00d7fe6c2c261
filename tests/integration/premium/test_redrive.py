"""Redrive: a dead letter goes back where it came from, byte for byte, and only once."""

from premium.redrive import redriven
from shared import dead_letters
from shared.events.codec import Header
from shared.publisher import Outgoing
from shared.testing.topics import Topics


def parked(topic: str, offset: int, value: bytes | None, headers: list[Header]) -> Outgoing:
    """Lay a record out as the consumer parks it."""
    marks: list[Header] = [
        ("dl-topic", topic.encode()),
        ("dl-partition", b"0"),
        ("dl-offset", str(offset).encode()),
        ("dl-service", b"intake"),
        ("dl-reason", b"bad_json"),
        ("dl-detail", b"not JSON"),
        ("dl-attempts", b"1"),
    ]
    return Outgoing("intake.dead-letters.v1", b"k", value, [*headers, *marks])


async def test_a_dead_letter_goes_back_once(topics: Topics) -> None:
    """Odd headers and all; a second redrive finds nothing new."""
    odd: list[Header] = [("x", None), ("x", b"\xff"), ("dl-topic", b"the sender's own")]
    await topics.create("inbound.v1", "intake.dead-letters.v1", partitions=1)
    await topics.send([parked("inbound.v1", 1, b"{", odd), parked("inbound.v1", 2, None, [])])
    found = [await redriven(topics.bootstrap, "intake", topics.prefix) for _ in range(2)]
    assert [len(letters) for letters in found] == [2, 0]
    first, second = await topics.wait_for("inbound.v1", 2)
    assert (first.key, first.value, list(first.headers)) == (b"k", b"{", odd)
    assert (second.value, list(second.headers)) == (None, [])


async def test_listing_sends_nothing(topics: Topics) -> None:
    """What was listed can still be redriven."""
    await topics.create("inbound.v1", "intake.dead-letters.v1", partitions=1)
    await topics.send([parked("inbound.v1", 1, b"{", [])])
    listed = await redriven(topics.bootstrap, "intake", topics.prefix, list_only=True)
    assert [letter.reason for letter in listed] == ["bad_json"]
    assert await topics.read("inbound.v1") == []
    assert len(await redriven(topics.bootstrap, "intake", topics.prefix)) == 1


async def test_what_is_no_dead_letter_is_passed_over(topics: Topics) -> None:
    """Somebody else's record on the topic stops nothing."""
    await topics.create("inbound.v1", "intake.dead-letters.v1", partitions=1)
    stray = Outgoing("intake.dead-letters.v1", None, b"hello", [])
    await topics.send([stray, parked("inbound.v1", 1, b"{", [])])
    letters = await redriven(topics.bootstrap, "intake", topics.prefix)
    assert len(letters) == 1
    assert isinstance(letters[0], dead_letters.DeadLetter)
