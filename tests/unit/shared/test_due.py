"""Which records of clocks are passed over before they are read."""

from shared.events import ClockFact, ClockPaused, ClockStarted, WatermarkAdvanced
from shared.events.codec import Record, Skipped, value_of
from shared.testing.builders import a_clock
from shared.tickets.due import skip_redundant_start


def record_of(fact: type[ClockFact], **more: object) -> Record:
    """Lay a record out as sla-monitor does."""
    event = a_clock(fact, "T1", due_min=60, **more).event  # type: ignore[arg-type]
    return Record(ClockFact.topic, 0, 0, b"", value_of(event), [])


def test_a_start_as_accepted_is_passed_over_unread() -> None:
    """As it is written, whatever the headers."""
    skipped = skip_redundant_start(record_of(ClockStarted, as_accepted=True))
    assert skipped == Skipped(ClockStarted.type, is_known=True)


def test_all_others_are_read() -> None:
    """Also where a sender's text spells the member out, and on another topic."""
    spelled = record_of(ClockStarted, account_id='x","as_accepted":true,"y":"')
    assert skip_redundant_start(spelled) is None
    assert skip_redundant_start(record_of(ClockStarted)) is None
    assert skip_redundant_start(record_of(ClockPaused)) is None
    value = record_of(ClockStarted, as_accepted=True).value
    assert skip_redundant_start(Record(WatermarkAdvanced.topic, 0, 0, b"", value, [])) is None
    assert skip_redundant_start(Record(ClockFact.topic, 0, 0, b"", None, [])) is None
