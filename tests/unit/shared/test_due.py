"""Which records of clocks are passed over before they are read."""

from shared.events import ClockFact, ClockPaused, ClockStarted, WatermarkAdvanced
from shared.events.codec import Record, Skipped, value_of
from shared.testing.builders import a_clock
from shared.tickets.due import skipped_unread


def record_of(fact: type[ClockFact], **more: object) -> Record:
    """Lay a record out as sla-monitor does."""
    event = a_clock(fact, "T1", due_min=60, **more).event  # type: ignore[arg-type]
    return Record(ClockFact.topic, 0, 0, b"", value_of(event), [])


def test_a_start_as_accepted_is_passed_over_unread() -> None:
    """As it is written, whatever the headers."""
    skipped = skipped_unread(record_of(ClockStarted, as_accepted=True))
    assert skipped == Skipped(ClockStarted.type, is_known=True)


def test_all_others_are_read() -> None:
    """Also where a sender's text spells the member out, and on another topic."""
    spelled = record_of(ClockStarted, account_id='x","as_accepted":true,"y":"')
    assert skipped_unread(spelled) is None
    assert skipped_unread(record_of(ClockStarted)) is None
    assert skipped_unread(record_of(ClockPaused)) is None
    value = record_of(ClockStarted, as_accepted=True).value
    assert skipped_unread(Record(WatermarkAdvanced.topic, 0, 0, b"", value, [])) is None
    assert skipped_unread(Record(ClockFact.topic, 0, 0, b"", None, [])) is None
