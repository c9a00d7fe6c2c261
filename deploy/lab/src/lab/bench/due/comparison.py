"""Compares ours with the peers: one after the other, with equally many open clocks."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from lab.bench.due.batch import Batch
from lab.bench.due.plan import Plan
from lab.bench.due.sheet import Sheet, outcomes
from lab.bench.due.trial import Outcome, Subject, at_once, steady, trial

__all__ = ["compared", "still_open"]


def still_open(now: datetime, count: int) -> Batch:
    """Return clocks that stay open: due in a month, a millisecond apart."""
    return Batch(uuid4().hex, count, now + timedelta(days=30), timedelta(milliseconds=1))


async def compared(
    subjects: Sequence[Subject], plan: Plan, report: Callable[[str], None]
) -> AsyncIterator[Sheet]:
    """Measure each load on the subjects in turn, so that disturbances affect all of them alike."""
    for subject in subjects:
        report(f"{subject.name}: {plan.open:,} clocks are inserted")
        await subject.prepare(still_open(await subject.now(), plan.open))
    loads: dict[str, Callable[[datetime], Batch]] = {
        f"{plan.rate_hz:g} due a second": partial(steady, rate_hz=plan.rate_hz, count=plan.count),
        f"{plan.at_once:,} due at one instant": partial(at_once, count=plan.at_once),
    }
    for load, make in loads.items():
        title = f"Due to Kafka, {load}, {plan.open:,} others open"
        found: dict[str, list[Outcome]] = {subject.name: [] for subject in subjects}
        for number in range(1, plan.repeats + 1):
            for subject in subjects:
                report(f"{title}: {subject.name}, {number} of {plan.repeats}")
                async with subject.working():
                    found[subject.name].append(await trial(subject, make))
        yield Sheet(title=title, rows=outcomes(found))
