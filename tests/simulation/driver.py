"""Drives a history through the engine as handlers and sweep do, and lists what breaks the rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tests.simulation.histories import END, History, Step
from tests.simulation.oracle import Name, Verdict, judge, uncounted

from shared.events import (
    Breakdown,
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    Envelope,
    Event,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    TicketAccepted,
    TicketNoted,
)
from sla_monitor.domain import (
    Announced,
    Clock,
    ClockUpdate,
    Key,
    announce_due,
    derive,
    update_clock,
    withdraw,
)

__all__ = ["Run", "differences", "shrunk"]

_MS: Final = timedelta(milliseconds=1)


type _Seen = tuple[str, UUID | None]
"""A clock as a reader tells it from others: the kind, and the cycle where kinds recur."""


@dataclass(slots=True)
class _Told:
    """What a reader of the announcements believes of one clock."""

    target_s: int | None = None
    state: str = ""
    due_at: datetime | None = None
    broken: str | None = None
    broken_id: UUID | None = None
    percents: set[int] = field(default_factory=set)

    def hear(self, event: ClockFact) -> None:
        """Believe what is said of the clock."""
        match event:
            case ClockStarted():
                self.percents.clear()
                self.state, self.due_at = "running", event.due_at
            case ClockResumed():
                self.state, self.due_at = "running", event.due_at
            case ClockPaused():
                self.state = "paused"
            case ClockRepriced():
                if self.target_s != event.target_s:
                    self.percents.clear()
                self.due_at, self.target_s = event.due_at, event.target_s
            case ClockMet():
                self.state, self.due_at = "met", event.due_at
            case ClockCancelled():
                self.state = "cancelled"
            case _:
                raise TypeError(event)


@dataclass
class Run:
    """One history being played. ``found`` says what is wrong, ``announced`` all that was said."""

    history: History
    known: list[Envelope[Event]] = field(default_factory=list)
    clocks: dict[Key, Clock] = field(default_factory=dict)
    announced: list[Announced] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    watermark: datetime | None = None
    _told: dict[_Seen, _Told] = field(default_factory=dict)
    _ids: dict[UUID, Announced] = field(default_factory=dict)
    _verdicts: dict[Name, Verdict] = field(default_factory=dict)

    def play(self) -> None:
        """Take step after step, up to the first that breaks a rule."""
        for step in self.history.steps:
            self._take(step)
            if self.found:
                self.found.insert(0, f"at {step.now}")
                return
        self.found += self._end()

    def _take(self, step: Step) -> None:
        for fact in step.batch:
            if all(fact.id != known.id for known in self.known):  # the inbox drops the second
                self._learn(fact, step.now)
        if not step.batch:
            self._sweep(step.now)

    def _learn(self, fact: Envelope[Event], now: datetime) -> None:
        self.known.append(fact)
        self._verdicts = judge(self.known, self.history.exception_of)
        truths = {truth.key: truth for truth in derive(self.known, self.history.exception_of)}
        for gone in [clock for key, clock in self.clocks.items() if key not in truths]:
            self._keep(withdraw(gone, fact), now)
        for key, truth in truths.items():
            self._keep(update_clock(self.clocks.get(key), truth, fact, now=now), now)
        self.found += self._compared(now)

    def _sweep(self, now: datetime) -> None:
        for clock in list(self.clocks.values()):
            next_at = clock.next_at()
            if next_at is not None and next_at <= now:
                outcome = announce_due(clock, now=now, watermark=self.watermark)
                if not outcome.announced:
                    self.found.append(f"{clock.kind}: due at {next_at}, and nothing is said")
                self._keep(outcome, now)
        self.found += self._compared(now)
        self.watermark = now

    def _keep(self, outcome: ClockUpdate, now: datetime) -> None:
        clock = outcome.clock
        started = [a for a in outcome.announced if isinstance(a.event, ClockStarted)]
        if len(started) != (clock.key not in self.clocks):
            self.found.append(f"{clock.kind}: started again, or never: {clock}")
        self.clocks[clock.key] = clock
        next_at = clock.next_at()
        if next_at is not None and next_at <= now:
            self.found.append(f"{clock.kind}: still due at {next_at} after it was judged")
        for announced in outcome.announced:
            self.announced.append(announced)
            if self._ids.setdefault(announced.id, announced) != announced:
                self.found.append(f"two events of one id: {announced} {self._ids[announced.id]}")
            verdict = self._verdicts.get((clock.kind, clock.started_by))
            told = self._told.setdefault((clock.kind, announced.event.cycle), _Told())
            if isinstance(announced.event, ClockStarted) and verdict is not None:
                told.target_s = verdict.target_s
            self.found += [
                f"{clock.kind} {announced.event.type}: {fault}"
                for fault in self._faults(announced, told, verdict, now)
            ]

    def _faults(
        self, announced: Announced, told: _Told, verdict: Verdict | None, now: datetime
    ) -> Iterator[str]:
        """Check one announcement by what was told before and by the facts known now."""
        yield from _wrong_sums(announced, verdict)
        match event := announced.event:
            case ClockWarned():
                yield from _wrong_warning(announced.time, event, told, verdict, now)
            case PromiseBreached() | PromiseMissed():
                yield from self._wrong_break(announced, event, told, verdict, now)
            case PromiseRetracted():
                yield from _wrong_retraction(event, told, verdict, now)
            case ClockStarted() if told.state not in ("", "cancelled"):
                yield "started twice"
            case _:
                told.hear(event)

    def _wrong_break(
        self,
        announced: Announced,
        event: PromiseBreached | PromiseMissed,
        told: _Told,
        verdict: Verdict | None,
        now: datetime,
    ) -> Iterator[str]:
        if told.broken is not None:
            yield "announced twice"
        told.broken = "breached" if isinstance(event, PromiseBreached) else "missed"
        told.broken_id = announced.id
        if verdict is None or verdict.broken(now) != told.broken:
            yield f"is not so by {verdict}"
        elif not verdict.due_at == event.due_at == announced.time:
            yield f"due at {event.due_at}, by the rules at {verdict.due_at}"
        if self.watermark is not None and event.due_at <= self.watermark and not event.late:
            yield "comes after the watermark and does not say so"

    def _compared(self, now: datetime) -> Iterator[str]:
        """Compare what a reader believes with the rules, clock by clock."""
        requests = {f.id for f in self.known if isinstance(f.event, TicketAccepted)}
        verdicts = {
            (kind, None if by in requests else by): verdict
            for (kind, by), verdict in self._verdicts.items()
        }
        for name in self._told.keys() | verdicts.keys():
            told, verdict = self._told.get(name, _Told()), verdicts.get(name)
            broken = None if verdict is None else verdict.broken(now)
            if told.broken != broken:
                yield f"{name[0]} is told as {told.broken}, by the rules it is {broken}: {verdict}"
            state = "cancelled" if verdict is None else verdict.state
            if told.state != state:
                yield f"{name[0]} is told as {told.state}, by the rules it is {state}: {verdict}"
            if verdict is None or state != "running":
                continue
            if told.due_at != verdict.due_at:
                yield f"{name[0]} is told due at {told.due_at}: {verdict}"
            yield from _not_warned(name, told, verdict, now)

    def _end(self) -> Iterator[str]:
        """Compare the last truth with the rules, in the reverse order of arrival and doubled."""
        facts = [*reversed(self.known), *self.known]
        truths = derive(facts, self.history.exception_of)
        if truths != derive(self.known, self.history.exception_of):
            yield "another order comes to another truth"
        unnoted = [fact for fact in self.known if not isinstance(fact.event, TicketNoted)]
        if truths != derive(unnoted, self.history.exception_of):
            yield "a note changes the truth"
        if {(t.kind, t.started_by) for t in truths} != self._verdicts.keys():
            yield f"other clocks: {truths}, by the rules {self._verdicts}"
            return
        for truth in truths:
            verdict = self._verdicts[truth.kind, truth.started_by]
            if truth.settled_at is not None and truth.settled_at < truth.started_at:
                yield f"{truth.kind} is settled before it starts: {truth}"
            if (ours := _as_verdict(truth, verdict)) != verdict:
                yield f"{truth.kind} is {ours}, by the rules {verdict}"
            kept = self.clocks[truth.key]
            unsaid = {"warned_s": 0, "broken": None, "broken_id": None, "retractions": 0}
            if kept._replace(**unsaid) != truth:  # type: ignore[arg-type]
                yield f"{truth.kind} is kept as {kept}, the facts say {truth}"


def _as_verdict(truth: Clock, like: Verdict) -> Verdict:
    return Verdict(
        state=truth.state,
        started_at=truth.started_at,
        settled_at=truth.settled_at,
        cancelled_for=truth.cancelled_for,
        due_at=truth.due_at,
        warn_at=tuple(zip(truth.warn_used_s, truth.warn_at, strict=True)),
        target_s=truth.target_s,
        severity=truth.severity,
        promise_class=truth.promise_class,
        exception=truth.exception,
        spans=like.spans,
    )


def _wrong_warning(
    at: datetime, event: ClockWarned, told: _Told, verdict: Verdict | None, now: datetime
) -> Iterator[str]:
    if event.percent in told.percents:
        yield f"{event.percent} % announced twice"
    told.percents.add(event.percent)
    if verdict is None or verdict.state != "running" or verdict.broken(now):
        yield f"none is due by {verdict}"
    elif at > now:
        yield f"it is for {at}, and comes early"
    elif at not in [at for _, at in verdict.warn_at] or event.due_at != verdict.due_at:
        yield f"{at} is no warning point of {verdict}"


def _wrong_retraction(
    event: PromiseRetracted, told: _Told, verdict: Verdict | None, now: datetime
) -> Iterator[str]:
    if told.broken is None or event.retracted_id != told.broken_id:
        yield "nothing was announced that could be taken back"
    if verdict is not None and verdict.broken(now) == told.broken:
        yield f"it is so still by {verdict}"
    told.broken = told.broken_id = None


def _not_warned(name: _Seen, told: _Told, verdict: Verdict, now: datetime) -> Iterator[str]:
    """Of the warning points gone by, the greatest was announced, or a greater one before."""
    passed = [used_s for used_s, at in verdict.warn_at if at is not None and at <= now]
    if not passed or verdict.broken(now):
        return
    percent = round(100 * max(passed) / verdict.target_s)
    if percent > max(told.percents, default=0):
        yield f"{name[0]} at {percent} % was not warned of: {verdict}"


def _wrong_sums(announced: Announced, verdict: Verdict | None) -> Iterator[str]:
    """Check that the parts add up to wall time, and that what did not count is told as paused."""
    told: Breakdown | None = getattr(announced.event, "breakdown", None)
    if told is None or verdict is None:
        return
    if sum(told.parts_ms.values()) != told.total_ms or min(told.parts_ms.values(), default=1) <= 0:
        yield f"parts of {told} do not add up"
    elapsed = max(announced.time - verdict.started_at, timedelta(0))
    if told.total_ms != elapsed // _MS:
        yield f"{told} is not the time since the start, {elapsed}"
    paused = uncounted(verdict, announced.time)
    if abs(told.parts_ms.get("paused", 0) * _MS - paused) > 2 * len(verdict.spans) * _MS:
        yield f"{told} has other pauses than {paused}"


def differences(history: History) -> list[str]:
    """Play a history to its end; nothing comes back if engine and rules agree."""
    run = Run(history)
    try:
        run.play()
    except (AssertionError, ValueError, KeyError, TypeError) as e:
        return [f"{type(e).__name__} {e}"]
    return run.found


def shrunk(history: History, fails: Callable[[History], object] = differences) -> History:
    """Drop facts and steps while it still fails: by default, while engine and rules differ."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(history):
            if candidate.facts and fails(candidate):
                history, smaller = candidate, True
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    for fact in {fact.id: fact for fact in history.facts}.values():
        yield history.without(fact)
    steps = history.steps
    for i, step in enumerate(steps):
        if step.now != END:
            yield replace(history, steps=(*steps[:i], *steps[i + 1 :]))
    if history.exception is not None:
        yield replace(history, exception=None)
    for i, step in enumerate(steps):
        for fact in step.batch if len(step.batch) > 1 else ():
            batch = tuple(f for f in step.batch if f is not fact)
            yield replace(history, steps=(*steps[:i], replace(step, batch=batch), *steps[i + 1 :]))
