"""What the facts come to, as if nothing had been announced: a pure function of their set."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never
from uuid import UUID

from shared.events import (
    Cancellation,
    CustomerReplied,
    TicketAccepted,
    TicketMerged,
)
from shared.promises import Pause, Promise, PromiseClass, due_after_pauses
from sla_monitor.domain.breakdown import phases_of
from sla_monitor.domain.clock import Clock, Fact, State
from sla_monitor.domain.story import Story, read, union

__all__ = ["ExceptionOf", "derive", "no_exception", "pauses_of", "promises_of"]

type ExceptionOf = Callable[[TicketAccepted, datetime], str | None]
"""Names the declared exception that covers a ticket created then, if one does."""


class _Start(NamedTuple):
    """The fact that starts a clock, and the instant it runs from."""

    by: UUID
    at: datetime


class _Settlement(NamedTuple):
    """How a clock stands, and since when and why if it is settled."""

    state: State
    at: datetime | None = None
    why: Cancellation | None = None


def no_exception(_: TicketAccepted, __: datetime) -> None:
    """Nothing is declared."""


def derive(facts: Iterable[Fact], exception_of: ExceptionOf = no_exception) -> list[Clock]:
    """Say what each promise comes to; no clock before acceptance."""
    story = read(facts)
    if story is None:
        return []
    return [
        clock for promise in promises_of(story) for clock in _clocks(story, promise, exception_of)
    ]


def promises_of(story: Story) -> Sequence[Promise]:
    """Give the promises for the severity as corrected, priced from the same create date."""
    return story.accepted.promised(story.severity, story.opened.time)


def pauses_of(story: Story, promise: Promise, *, before: datetime | None = None) -> list[Pause]:
    """List the spans in which a promise's time does not count, those begun ``before`` then."""
    waits = (wait.span for wait in story.waits if wait.waits_for in promise.pause_on)
    gaps = story.solutions if promise.kind == "resolution" else story.closures
    return union(pause for pause in [*waits, *gaps] if before is None or pause.since < before)


def _clocks(story: Story, promise: Promise, exception_of: ExceptionOf) -> Iterator[Clock]:
    match promise.kind:
        case "first_response" | "callback" | "join":
            answer = next(story.answers, None)
            yield _clock(story, promise, exception_of, _opening(story), answer)
        case "resolution":
            yield _clock(story, promise, exception_of, _opening(story), story.resolved_by)
        case "next_response":
            for asked, answer in _exchanges(story):
                yield _clock(story, promise, exception_of, _Start(asked.id, asked.time), answer)
        case _:
            assert_never(promise.kind)


def _opening(story: Story) -> _Start:
    return _Start(story.opened.id, story.since)


def _exchanges(story: Story) -> Iterator[tuple[Fact, Fact | None]]:
    """Pair each reply of the customer with its answer; replies before it count as one.

    What the customer adds before the first answer is covered by the first response.
    """
    answers = {fact.id for fact in story.answers}
    answered, asked = False, None
    for fact in story.facts:
        if fact.id in answers:
            if asked is not None:
                yield asked, fact
            answered, asked = True, None
        elif isinstance(fact.event, CustomerReplied) and answered:
            asked = asked or fact
    if asked is not None:
        yield asked, None


def _clock(
    story: Story, promise: Promise, exception_of: ExceptionOf, start: _Start, answer: Fact | None
) -> Clock:
    pauses = pauses_of(story, promise)
    settled = _settlement(story, pauses, answer)
    if settled.at is not None:
        pauses = pauses_of(story, promise, before=settled.at)
    calendar, warnings = promise.bound_calendar(), promise.warnings_used_s

    def used_up(used_s: int) -> datetime | None:
        return due_after_pauses(calendar, start.at, timedelta(seconds=used_s), pauses)

    accepted = story.accepted
    promise_class, exception = _class_of(story, promise, exception_of)
    return Clock(
        ticket_id=accepted.ticket_id,
        kind=promise.kind,
        started_by=start.by,
        promise_class=promise_class,
        exception=exception,
        account_id=accepted.account_id,
        channel=accepted.channel,
        severity=story.severity,
        target_s=promise.target_s,
        started_at=start.at,
        due_at=used_up(promise.target_s),
        warn_used_s=warnings,
        warn_at=tuple(map(used_up, warnings)),
        state=settled.state,
        settled_at=settled.at,
        cancelled_for=settled.why,
        phases=phases_of(story, start.at, settled.at, pauses),
    )


def _class_of(
    story: Story, promise: Promise, exception_of: ExceptionOf
) -> tuple[PromiseClass, str | None]:
    """Inside a declared exception a guarantee is an objective (DOMAIN, "Response times")."""
    if promise.promise_class == "objective" and promise.exception is None:
        return "objective", None
    name = exception_of(story.accepted, story.opened.time) or promise.exception
    return ("guarantee", None) if name is None else ("objective", name)


def _settlement(story: Story, pauses: Sequence[Pause], answer: Fact | None) -> _Settlement:
    """Find the answer; without one, what is over for good is owed nothing more."""
    if answer is not None:
        return _Settlement("met", answer.time)
    if story.ended is not None:
        merged = isinstance(story.ended.event, TicketMerged)
        return _Settlement("cancelled", story.ended.time, "merged" if merged else "erased")
    if (closed := story.closed_by) is not None:
        return _Settlement("cancelled", closed.time, "closed")
    paused = bool(pauses) and pauses[-1].until is None
    return _Settlement("paused" if paused else "running")
