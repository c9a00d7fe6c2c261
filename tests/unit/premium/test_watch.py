"""`premium watch breaches`: a line a breach, and silence trusted only while it is proven."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from premium.watch.silence import AGE_S_MAX, Silence
from premium.watch.view import broken_line, silence_line
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
    """Say that all was judged up to noon and as many seconds as the partition's number."""
    at = NOON + timedelta(seconds=partition)
    return WatermarkAdvanced(
        partition=partition, evaluated_to=at, open=open_clocks, lag_ms_max=lag_ms
    )


def silence(*heard: tuple[WatermarkAdvanced, float]) -> Silence:
    """Watch two partitions since second 100; each watermark came at a second."""
    found = Silence([0, 1], since_s=100)
    for word, at_s in heard:
        found.hear(word, at_s=at_s)
    return found


def line(event: Event) -> str:
    """Show an event that happened at noon."""
    text = broken_line(Envelope(UUID(int=2), "sla-monitor", NOON, event))
    assert text is not None
    return " ".join(text.plain.split())


def test_silence_is_proven_when_every_partition_was_heard_of_lately() -> None:
    """One partition is not enough."""
    one = silence((watermark(0), 101))
    assert not one.proof(now_s=101).holds
    one.hear(watermark(1), at_s=102)
    assert one.proof(now_s=102).holds


def test_silence_is_as_old_as_its_oldest_watermark() -> None:
    """A partition that stopped speaking is named, whatever the others say."""
    proof = silence((watermark(0), 101), (watermark(1), 104)).proof(now_s=104)
    assert (proof.oldest, proof.age_s) == (0, 3)
    assert proof.evaluated_to == NOON


def test_an_old_watermark_proves_nothing() -> None:
    """Five seconds are believed, no more."""
    found = silence((watermark(0), 101), (watermark(1), 101))
    assert found.proof(now_s=101 + AGE_S_MAX).holds
    assert not found.proof(now_s=101.1 + AGE_S_MAX).holds


def test_a_partition_that_was_never_heard_of_ages_from_the_beginning() -> None:
    """A monitor that was dead before the watch began is found out, too."""
    proof = silence((watermark(0), 106)).proof(now_s=106)
    assert proof.is_too_old
    assert (proof.oldest, proof.age_s) == (1, 6)


def test_open_clocks_are_summed_and_the_worst_lag_is_shown() -> None:
    """Over all partitions."""
    words = watermark(0, open_clocks=2, lag_ms=30), watermark(1, open_clocks=3, lag_ms=7)
    proof = silence((words[0], 101), (words[1], 101)).proof(now_s=101)
    assert (proof.open, proof.lag_ms_max) == (5, 30)
    assert "5 open · worst lag 30 ms" in silence_line(proof).plain


def test_lost_silence_is_red_and_says_what_to_do() -> None:
    """Which partition, for how long, up to when all is judged, and what to look at."""
    text = silence_line(silence((watermark(0), 101), (watermark(1), 101)).proof(now_s=108))
    assert "red" in str(text.style)
    assert "partition 0 for 7 s, all to Mon 2 Mar 12:00:00 was judged" in text.plain
    assert "The monitor may be dead: see whether sla-monitor runs" in text.plain


def test_at_the_beginning_it_is_only_quiet() -> None:
    """No alarm before anything can have come."""
    text = silence_line(silence().proof(now_s=101))
    assert text.plain.startswith("heard of 0 of 2 partitions")
    assert "red" not in str(text.style)


def test_a_breach_is_one_line_with_its_greatest_part() -> None:
    """When, how late it was said, whose, what, over which channel, and where the time went."""
    breached = PromiseBreached(
        **CLOCK, promise_class="guarantee", due_at=NOON, lateness_ms=12, breakdown=PARTS
    )
    assert line(breached) == (
        "Mon 2 Mar 12:00:00 ✖ BREACHED said 12 ms after, no capacity 59 min of 1 h"
        f" northwind first response email ticket {UUID(int=1)}"
    )


def test_a_miss_is_not_called_a_breach() -> None:
    """And says when a late fact brought it."""
    missed = PromiseMissed(**CLOCK, promise_class="objective", due_at=NOON, late=True)
    assert "◇ missed said 0 ms after (by a late fact) northwind" in line(missed)


def test_a_retraction_says_what_is_taken_back_and_why() -> None:
    """Whoever was paged reads that it was none."""
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
def test_what_is_no_breach_makes_no_line(event: Event) -> None:
    """Watermarks are for the line at the bottom."""
    assert broken_line(Envelope(UUID(int=2), "sla-monitor", NOON, event)) is None
