"""`premium watch breaches` shows a line for each breach, and whether silence is proven."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from premium.watch.silence import AGE_S_MAX, Silence
from premium.watch.view import breach_line, silence_line
from shared.events import (
    Breakdown,
    ClockMet,
    Envelope,
    Event,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    WatermarkAdvanced,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOCK = {
    "ticket_id": UUID(int=1),
    "account_id": "northwind",
    "channel": "email",
    "severity": "standard",
    "kind": "first_response",
}
PARTS = Breakdown(total_ms=3_600_000, parts_ms={"routing": 60_000, "no_capacity": 3_540_000})


def watermark(partition: int, *, open_clocks: int = 0, lag_ms: int = 0) -> WatermarkAdvanced:
    """Make a watermark at noon plus as many seconds as the partition's number."""
    at = NOON + timedelta(seconds=partition)
    return WatermarkAdvanced(
        partition=partition, evaluated_to=at, open=open_clocks, lag_ms_max=lag_ms
    )


def silence(*arrived: tuple[WatermarkAdvanced, float]) -> Silence:
    """Watch two partitions since second 100; each watermark has its second of arrival."""
    found = Silence([0, 1], since_s=100)
    for one, at_s in arrived:
        found.add(one, at_s=at_s)
    return found


def line(event: Event) -> str:
    """Return the line of an event that happened at noon."""
    text = breach_line(Envelope(UUID(int=2), "sla-monitor", NOON, event))
    assert text is not None
    return " ".join(text.plain.split())


def test_silence_is_proven_when_every_partition_has_a_recent_watermark() -> None:
    """A watermark of one partition is not enough."""
    one = silence((watermark(0), 101))
    assert not one.proof(now_s=101).holds
    one.add(watermark(1), at_s=102)
    assert one.proof(now_s=102).holds


def test_silence_is_as_old_as_its_oldest_watermark() -> None:
    """The proof names the partition with the oldest watermark."""
    proof = silence((watermark(0), 101), (watermark(1), 104)).proof(now_s=104)
    assert (proof.oldest, proof.age_s) == (0, 3)
    assert proof.evaluated_to == NOON


def test_an_old_watermark_proves_nothing() -> None:
    """Silence holds for five seconds after a watermark, no longer."""
    found = silence((watermark(0), 101), (watermark(1), 101))
    assert found.proof(now_s=101 + AGE_S_MAX).holds
    assert not found.proof(now_s=101.1 + AGE_S_MAX).holds


def test_a_partition_without_a_watermark_ages_from_the_start() -> None:
    """So a monitor that was dead before the watch began is detected."""
    proof = silence((watermark(0), 106)).proof(now_s=106)
    assert proof.is_too_old
    assert (proof.oldest, proof.age_s) == (1, 6)


def test_open_clocks_are_summed_and_the_worst_lag_is_shown() -> None:
    """Both cover all partitions."""
    both = watermark(0, open_clocks=2, lag_ms=30), watermark(1, open_clocks=3, lag_ms=7)
    proof = silence((both[0], 101), (both[1], 101)).proof(now_s=101)
    assert (proof.open, proof.lag_ms_max) == (5, 30)
    assert "5 open · worst lag 30 ms" in silence_line(proof).plain


def test_unproven_silence_is_red_with_what_to_do() -> None:
    """The line names the partition, since when, up to when all is evaluated, and what to check."""
    text = silence_line(silence((watermark(0), 101), (watermark(1), 101)).proof(now_s=108))
    assert "red" in str(text.style)
    assert "partition 0 for 7 s, all to Mon 2 Mar 12:00:00 was evaluated" in text.plain
    assert "The monitor may be dead: see whether sla-monitor runs" in text.plain


def test_a_new_watch_is_not_red() -> None:
    """There is no alarm before a watermark can have arrived."""
    text = silence_line(silence().proof(now_s=101))
    assert text.plain.startswith("watermarks of 0 of 2 partitions")
    assert "red" not in str(text.style)


def test_a_breach_is_one_line_with_its_longest_part() -> None:
    """Time, lateness of the event, longest part, account, promise, channel and ticket."""
    breached = PromiseBreached(
        **CLOCK, promise_class="guarantee", due_at=NOON, lateness_ms=12, breakdown=PARTS
    )
    assert line(breached) == (
        "Mon 2 Mar 12:00:00 ✖ BREACHED published 12 ms late, no capacity 59 min of 1 h"
        f" northwind first response email ticket {UUID(int=1)}"
    )


def test_a_miss_is_not_called_a_breach() -> None:
    """The line says if a late fact caused it."""
    missed = PromiseMissed(**CLOCK, promise_class="objective", due_at=NOON, late=True)
    assert "◇ missed published 0 ms late (by a late fact) northwind" in line(missed)


def test_a_retraction_names_the_event_and_the_reason() -> None:
    """An on-call engineer sees that the breach was none."""
    retracted = PromiseRetracted(
        **CLOCK,
        promise_class="guarantee",
        retracted="breached",
        retracted_id=UUID(int=3),
        reason="answered",
    )
    assert "↩ retracted was breached, but: answered northwind" in line(retracted)


@pytest.mark.parametrize(
    "event",
    [
        watermark(0),
        ClockMet(**CLOCK, promise_class="guarantee", due_at=NOON, met_at=NOON, in_time=True),
    ],
)
def test_other_events_have_no_line(event: Event) -> None:
    """Watermarks only update the status line."""
    assert breach_line(Envelope(UUID(int=2), "sla-monitor", NOON, event)) is None
