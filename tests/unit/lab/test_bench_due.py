"""bench-due computes lags and counts from the received records."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from rich.console import Console

from lab.bench.due.batch import Batch
from lab.bench.due.kills import moments_s
from lab.bench.due.plan import PLANS, Part
from lab.bench.due.sheet import Row, Sheet, outcomes, single
from lab.bench.due.trial import Outcome, Received, after, at_once, outcome, steady
from lab.bench.topic_listener import Arrival, TopicListener

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()
AHEAD_S = 1000.0
"""PostgreSQL's clock minus the monotonic clock, in seconds."""
BATCH = Batch("run", 3, NOON, timedelta(seconds=1))
ON_TIME = Outcome(lags_ms=[1, 2, 3], early=0, doubled=0, repeated=0, missing=0, out_s=2)


class FakeRecord(NamedTuple):
    """The used attributes of a Kafka record."""

    key: bytes
    timestamp: int
    headers: list[tuple[str, bytes]]


def received(*arrivals: Arrival | None) -> Received:
    """Receive these records, in order of due times; None is missing."""
    pairs = zip(BATCH.keys, arrivals, strict=False)
    return Received(BATCH, {key: one for key, one in pairs if one is not None}, AHEAD_S)


def arrival(due_s: float, lag_s: float, *, written_s: float | None = None) -> Arrival:
    """Make a record received ``lag_s`` after its due time; written then, unless stated."""
    at_s = NOON_S + due_s + lag_s
    wrote_s = at_s if written_s is None else NOON_S + written_s
    return Arrival(at_s - AHEAD_S, wrote_s, id=None)


def test_a_lag_is_measured_by_postgresqls_clock() -> None:
    """A record received 20 ms after its due time is 20 ms late."""
    found = outcome(received(arrival(0, 0.02), arrival(1, 0.03), arrival(2, 0.04)))
    assert found.lags_ms == pytest.approx([20, 30, 40], abs=0.01)


def test_the_time_until_all_are_published_begins_with_the_first_due() -> None:
    """The last of three, due after two seconds and 0.5 s late, is published after 2.5 s."""
    found = outcome(received(arrival(0, 0), arrival(1, 0), arrival(2, 0.5)))
    assert found.out_s == pytest.approx(2.5, abs=1e-5)


def test_a_record_written_before_it_is_due_is_early() -> None:
    """2 ms too soon counts; a truncated fraction of a millisecond does not."""
    too_soon, cut_off = arrival(0, 0, written_s=-0.002), arrival(1, 0, written_s=0.9995)
    assert outcome(received(too_soon, cut_off, arrival(2, 0))).early == 1


def noted(*ids: bytes | None) -> Arrival:
    """Receive records of one clock with these ids."""
    listener = TopicListener(cast("AIOKafkaConsumer", None))
    for event_id in ids:
        headers = [] if event_id is None else [("ce_id", event_id)]
        listener.note(cast("ConsumerRecord[bytes, bytes]", FakeRecord(b"key", 0, headers)), 0)
    return listener.arrivals[b"key"]


def test_a_record_that_consumers_drop_is_repeated_and_not_doubled() -> None:
    """The second record has the id of the first, the third another."""
    found = noted(b"a", b"a", b"b")
    assert (found.repeats, found.doubles) == (1, 1)


def test_without_an_id_every_record_beyond_the_first_is_doubled() -> None:
    """A consumer could not recognise them."""
    thrice = noted(None, None, None)
    assert outcome(received(thrice, arrival(1, 0), arrival(2, 0))).doubled == 2


def test_a_clock_without_a_record_is_missing() -> None:
    """Two records of three clocks give two lags and one missing."""
    found = outcome(received(arrival(0, 0), None, arrival(2, 0)))
    assert (found.missing, len(found.lags_ms)) == (1, 2)


def test_an_outcome_without_records_has_no_lag() -> None:
    """All clocks are missing then."""
    found = outcome(received())
    assert found == Outcome(lags_ms=[], early=0, doubled=0, repeated=0, missing=3, out_s=0)


def test_after_a_kill_the_next_due_counts() -> None:
    """With clocks due at 0, 1 and 2 s, the lag after a kill at 0.5 s is that of 1 s."""
    found = received(arrival(0, 0.1), arrival(1, 0.7), arrival(2, 0.1))
    assert after(found, NOON + timedelta(seconds=0.5)) == pytest.approx(700, abs=0.01)


@pytest.mark.parametrize("kill_s", [1.5, 5])
def test_a_kill_without_a_later_record_has_no_lag(kill_s: float) -> None:
    """The next clock may be missing, or there may be none."""
    found = received(arrival(0, 0), arrival(1, 0), None)
    assert after(found, NOON + timedelta(seconds=kill_s)) is None


def test_kills_are_spread_and_repeatable() -> None:
    """Each kill has its own share of the time, and a seed always gives the same times."""
    drawn = moments_s(7, kills=4, seconds=40)
    assert drawn == moments_s(7, kills=4, seconds=40)
    assert [int(moment // 10) for moment in drawn] == [0, 1, 2, 3]


def test_a_line_keeps_a_batch_exactly() -> None:
    """A batch read from its line equals the original, to the microsecond."""
    batch = Batch("run", 5, NOON + timedelta(microseconds=1), timedelta(microseconds=3333))
    assert Batch.from_line(batch.to_line()) == batch


def test_a_batch_has_keys_and_due_times() -> None:
    """Ids are the MD5 of run and number, as in PostgreSQL; due times are a step apart."""
    assert BATCH.keys[0] == b"4bbf6be2-76fe-7521-7888-537648060007"
    assert BATCH.due_at == [NOON, NOON + timedelta(seconds=1), BATCH.last]


def test_a_larger_batch_is_due_later() -> None:
    """So all clocks are inserted before the first is due."""
    few, many = at_once(NOON, count=1), at_once(NOON, count=100_000)
    assert NOON < few.first < many.first
    assert many.last == many.first


def test_a_rate_becomes_a_step() -> None:
    """At 500 a second, one clock falls due every 2 ms."""
    assert steady(NOON, rate_hz=500, count=10).step == timedelta(milliseconds=2)


def test_p99_and_maximum_are_those_of_all_repeats() -> None:
    """The median has a value for each repeat, p99 and maximum one for all."""
    rows = outcomes({"ours": [ON_TIME, replace(ON_TIME, lags_ms=[4, 5, 9])]})
    p50, p99, most = (row.found["ours"] for row in rows[:3])
    assert (p50, len(p99), most) == ((2, 5), 1, (9,))


def test_a_subject_without_records_has_a_column() -> None:
    """It has no lags, only the count of missing clocks."""
    silent = Outcome(lags_ms=[], early=0, doubled=0, repeated=0, missing=3, out_s=0)
    rows = {row.name: row.found["ours"] for row in outcomes({"ours": [silent]})}
    assert (rows["p50"], rows["p99"], rows["max"], rows["missing"]) == ((), (), (), (3,))


def test_ours_is_compared_with_the_bare_loop_of_the_same_repeat() -> None:
    """Each ratio is of two values of one repeat."""
    row = Row(name="p50", unit="ms", found={"bare SQL loop": (10, 20), "ours": (20, 20)})
    assert row.ratios == (2, 1)


def test_a_sheet_has_a_column_for_each_subject() -> None:
    """Subjects are side by side, and the ratio is last."""
    found = {"bare SQL loop": [ON_TIME], "APScheduler 3": [ON_TIME], "ours": [ON_TIME]}
    shown = io.StringIO()
    Console(file=shown, width=140).print(Sheet(title="Due", rows=outcomes(found)).table())
    cells = ("APScheduler 3", "ours / bare SQL loop", "p50, ms", "doubled, events")
    assert all(cell in shown.getvalue() for cell in cells)


def test_a_missing_value_is_left_out() -> None:
    """None means that the value could not be measured."""
    assert single("late", "ms", 1.0, None).found == {"ours": (1.0,)}


def test_every_part_has_sizes() -> None:
    """There is a plan for every part."""
    assert set(PLANS) == set(Part)
