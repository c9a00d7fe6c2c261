"""Runs a history through the engine, as handlers and sweep do, and lists broken rules."""

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
"""The name of a clock in announcements: the kind, and the cycle for recurring kinds."""


@dataclass(slots=True)
class _Announced:
    """The state of one clock, according to its announcements."""

    target_s: int | None = None
    state: str = ""
    due_at: datetime | None = None
    broken: str | None = None
    broken_id: UUID | None = None
    percents: set[int] = field(default_factory=set)

    def apply(self, event: ClockFact) -> None:
        """Apply an announcement to the state."""
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
    """One simulated history. ``found`` lists broken rules, ``announced`` all announcements."""

    history: History
    known: list[Envelope[Event]] = field(default_factory=list)
    clocks: dict[Key, Clock] = field(default_factory=dict)
    announced: list[Announced] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    watermark: datetime | None = None
    _states: dict[_Seen, _Announced] = field(default_factory=dict)
    _ids: dict[UUID, Announced] = field(default_factory=dict)
    _verdicts: dict[Name, Verdict] = field(default_factory=dict)

    def play(self) -> None:
        """Run step after step, up to the first one that breaks a rule."""
        for step in self.history.steps:
            self._run_step(step)
            if self.found:
                self.found.insert(0, f"at {step.now}")
                return
        self.found += self._end()

    def _run_step(self, step: Step) -> None:
        for fact in step.batch:
            if all(fact.id != known.id for known in self.known):  # the inbox drops the second
                self._receive(fact, step.now)
        if not step.batch:
            self._sweep(step.now)

    def _receive(self, fact: Envelope[Event], now: datetime) -> None:
        self.known.append(fact)
        self._verdicts = judge(self.known, self.history.exception_of)
        derived = {new.key: new for new in derive(self.known, self.history.exception_of)}
        for gone in [clock for key, clock in self.clocks.items() if key not in derived]:
            self._keep(withdraw(gone, fact), now)
        for key, new in derived.items():
            self._keep(update_clock(self.clocks.get(key), new, fact, now=now), now)
        self.found += self._compared(now)

    def _sweep(self, now: datetime) -> None:
        for clock in list(self.clocks.values()):
            next_at = clock.next_at()
            if next_at is not None and next_at <= now:
                update = announce_due(clock, now=now, watermark=self.watermark)
                if not update.announced:
                    self.found.append(f"{clock.kind}: due at {next_at}, and nothing is announced")
                self._keep(update, now)
        self.found += self._compared(now)
        self.watermark = now

    def _keep(self, update: ClockUpdate, now: datetime) -> None:
        clock = update.clock
        started = [a for a in update.announced if isinstance(a.event, ClockStarted)]
        if len(started) != (clock.key not in self.clocks):
            self.found.append(f"{clock.kind}: started again, or never: {clock}")
        self.clocks[clock.key] = clock
        next_at = clock.next_at()
        if next_at is not None and next_at <= now:
            self.found.append(f"{clock.kind}: still due at {next_at} after it was judged")
        for announced in update.announced:
            self.announced.append(announced)
            if self._ids.setdefault(announced.id, announced) != announced:
                self.found.append(f"two events of one id: {announced} {self._ids[announced.id]}")
            verdict = self._verdicts.get((clock.kind, clock.started_by))
            view = self._states.setdefault((clock.kind, announced.event.cycle), _Announced())
            if isinstance(announced.event, ClockStarted) and verdict is not None:
                view.target_s = verdict.target_s
            self.found += [
                f"{clock.kind} {announced.event.type}: {fault}"
                for fault in self._faults(announced, view, verdict, now)
            ]

    def _faults(
        self, announced: Announced, view: _Announced, verdict: Verdict | None, now: datetime
    ) -> Iterator[str]:
        """Check one announcement against earlier announcements and the known facts."""
        yield from _wrong_sums(announced, verdict)
        match event := announced.event:
            case ClockWarned():
                yield from _wrong_warning(announced.time, event, view, verdict, now)
            case PromiseBreached() | PromiseMissed():
                yield from self._wrong_break(announced, event, view, verdict, now)
            case PromiseRetracted():
                yield from _wrong_retraction(event, view, verdict, now)
            case ClockStarted() if view.state not in ("", "cancelled"):
                yield "started twice"
            case _:
                view.apply(event)

    def _wrong_break(
        self,
        announced: Announced,
        event: PromiseBreached | PromiseMissed,
        view: _Announced,
        verdict: Verdict | None,
        now: datetime,
    ) -> Iterator[str]:
        if view.broken is not None:
            yield "announced twice"
        view.broken = "breached" if isinstance(event, PromiseBreached) else "missed"
        view.broken_id = announced.id
        if verdict is None or verdict.broken(now) != view.broken:
            yield f"is not so by {verdict}"
        elif not verdict.due_at == event.due_at == announced.time:
            yield f"due at {event.due_at}, by the rules at {verdict.due_at}"
        if self.watermark is not None and event.due_at <= self.watermark and not event.late:
            yield "comes after the watermark and is not marked late"

    def _compared(self, now: datetime) -> Iterator[str]:
        """Compare the announced state of each clock with the rules."""
        requests = {f.id for f in self.known if isinstance(f.event, TicketAccepted)}
        verdicts = {
            (kind, None if by in requests else by): verdict
            for (kind, by), verdict in self._verdicts.items()
        }
        for name in self._states.keys() | verdicts.keys():
            view, verdict = self._states.get(name, _Announced()), verdicts.get(name)
            broken = None if verdict is None else verdict.broken(now)
            if view.broken != broken:
                yield f"{name[0]} is announced as {view.broken}, expected {broken}: {verdict}"
            state = "cancelled" if verdict is None else verdict.state
            if view.state != state:
                yield f"{name[0]} is announced as {view.state}, expected {state}: {verdict}"
            if verdict is None or state != "running":
                continue
            if view.due_at != verdict.due_at:
                yield f"{name[0]} is announced due at {view.due_at}: {verdict}"
            yield from _not_warned(name, view, verdict, now)

    def _end(self) -> Iterator[str]:
        """Compare the final clocks with the rules, also for facts in reverse order and doubled."""
        facts = [*reversed(self.known), *self.known]
        derived = derive(facts, self.history.exception_of)
        if derived != derive(self.known, self.history.exception_of):
            yield "another order gives other clocks"
        unnoted = [fact for fact in self.known if not isinstance(fact.event, TicketNoted)]
        if derived != derive(unnoted, self.history.exception_of):
            yield "a note changes clocks"
        if {(t.kind, t.started_by) for t in derived} != self._verdicts.keys():
            yield f"other clocks: {derived}, by the rules {self._verdicts}"
            return
        for new in derived:
            verdict = self._verdicts[new.kind, new.started_by]
            if new.settled_at is not None and new.settled_at < new.started_at:
                yield f"{new.kind} is settled before it starts: {new}"
            if (ours := _as_verdict(new, verdict)) != verdict:
                yield f"{new.kind} is {ours}, by the rules {verdict}"
            kept = self.clocks[new.key]
            unannounced = {"warned_s": 0, "broken": None, "broken_id": None, "retractions": 0}
            if kept._replace(**unannounced) != new:  # type: ignore[arg-type]
                yield f"{new.kind} is kept as {kept}, derived is {new}"


def _as_verdict(new: Clock, like: Verdict) -> Verdict:
    return Verdict(
        state=new.state,
        started_at=new.started_at,
        settled_at=new.settled_at,
        cancelled_for=new.cancelled_for,
        due_at=new.due_at,
        warn_at=tuple(zip(new.warn_used_s, new.warn_at, strict=True)),
        target_s=new.target_s,
        severity=new.severity,
        promise_class=new.promise_class,
        exception=new.exception,
        spans=like.spans,
    )


def _wrong_warning(
    at: datetime, event: ClockWarned, view: _Announced, verdict: Verdict | None, now: datetime
) -> Iterator[str]:
    if event.percent in view.percents:
        yield f"{event.percent} % announced twice"
    view.percents.add(event.percent)
    if verdict is None or verdict.state != "running" or verdict.broken(now):
        yield f"none is due by {verdict}"
    elif at > now:
        yield f"it is for {at}, and comes early"
    elif at not in [at for _, at in verdict.warn_at] or event.due_at != verdict.due_at:
        yield f"{at} is no warning point of {verdict}"


def _wrong_retraction(
    event: PromiseRetracted, view: _Announced, verdict: Verdict | None, now: datetime
) -> Iterator[str]:
    if view.broken is None or event.retracted_id != view.broken_id:
        yield "nothing was announced that could be taken back"
    if verdict is not None and verdict.broken(now) == view.broken:
        yield f"it is so still by {verdict}"
    view.broken = view.broken_id = None


def _not_warned(name: _Seen, view: _Announced, verdict: Verdict, now: datetime) -> Iterator[str]:
    """Check that the largest warning that is due, or a larger one, was announced."""
    passed = [used_s for used_s, at in verdict.warn_at if at is not None and at <= now]
    if not passed or verdict.broken(now):
        return
    percent = round(100 * max(passed) / verdict.target_s)
    if percent > max(view.percents, default=0):
        yield f"{name[0]} at {percent} % was not warned of: {verdict}"


def _wrong_sums(announced: Announced, verdict: Verdict | None) -> Iterator[str]:
    """Check that the parts sum to the wall time, and that uncounted time is in `paused`."""
    view: Breakdown | None = getattr(announced.event, "breakdown", None)
    if view is None or verdict is None:
        return
    if sum(view.parts_ms.values()) != view.total_ms or min(view.parts_ms.values(), default=1) <= 0:
        yield f"parts of {view} do not add up"
    elapsed = max(announced.time - verdict.started_at, timedelta(0))
    if view.total_ms != elapsed // _MS:
        yield f"{view} is not the time since the start, {elapsed}"
    paused = uncounted(verdict, announced.time)
    if abs(view.parts_ms.get("paused", 0) * _MS - paused) > 2 * len(verdict.spans) * _MS:
        yield f"{view} has other pauses than {paused}"


def differences(history: History) -> list[str]:
    """Run a history to its end; return nothing if engine and rules agree."""
    run = Run(history)
    try:
        run.play()
    except (AssertionError, ValueError, KeyError, TypeError) as e:
        return [f"{type(e).__name__} {e}"]
    return run.found


def shrunk(history: History, fails: Callable[[History], object] = differences) -> History:
    """Remove facts and steps while the history still fails, by default: engine and rules differ."""
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
