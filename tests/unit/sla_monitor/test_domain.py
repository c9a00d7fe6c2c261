"""Clocks: deriving them from facts, announcing changes, and retracting breaches."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from shared.events import (
    NAMESPACE,
    CustomerReplied,
    Envelope,
    Event,
    TicketAccepted,
    TicketClosed,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import Role
from shared.testing.builders import promised
from sla_monitor.domain import Announced, Clock, Fact, announce_due, derive, update_clock

TICKET = UUID("11111111-1111-5111-8111-111111111111")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    """Return a duration in minutes."""
    return timedelta(minutes=count)


def accepted(role: Role = "super_admin") -> Fact:
    """Accept a standard email ticket at noon: due at one o'clock for a super admin."""
    promises = promised(NOON, role=role)
    event = TicketAccepted(
        ticket_id=TICKET,
        source="form",
        external_id="1",
        account_id="northwind",
        requester_id="ada",
        role=role,
        channel="email",
        severity="standard",
        claimed_severity="standard",
        language="en",
        time_zone="UTC",
        policy="p",
        promises=promises,
    )
    return fact(event, 0)


def fact(event: Event, after_min: float) -> Fact:
    """Wrap an event that occurred so many minutes after noon."""
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"{event.type}{at}"), "intake", at, event)


def responded(after_min: float) -> Fact:
    """Make a response."""
    return fact(TicketResponded(ticket_id=TICKET), after_min)


def waiting(after_min: float) -> Fact:
    """Make a wait for the customer."""
    return fact(TicketWaiting(ticket_id=TICKET, waiting_for="customer"), after_min)


def resumed(after_min: float) -> Fact:
    """Make the end of a wait."""
    return fact(TicketResumed(ticket_id=TICKET), after_min)


def apply_all(facts: list[Fact], *, now: datetime) -> tuple[Clock, list[str]]:
    """Apply facts in this order as of ``now``; return the last clock and the types announced."""
    clock, announced = history(facts, now=now)
    return clock, [a.event.type.removeprefix("premium.").removesuffix(".v1") for a in announced]


def history(facts: list[Fact], *, now: datetime) -> tuple[Clock, list[Announced]]:
    """Apply facts in this order; return the last clock and everything announced."""
    known: list[Fact] = []
    clock: Clock | None = None
    announced: list[Announced] = []
    for one in facts:
        known.append(one)
        for verdict in derive(known):
            clock, news, _ = update_clock(clock, verdict, one, now=now)
            announced += news
    assert clock is not None
    return clock, announced


def due(clock: Clock, *, now: datetime) -> tuple[Clock, list[Announced]]:
    """Announce what is due by ``now``."""
    after, announced, _ = announce_due(clock, now=now)
    return after, announced


def test_a_promise_runs_from_the_create_date() -> None:
    """A super admin's standard ticket is due an hour after it was created."""
    clock, announced = apply_all([accepted()], now=NOON)
    assert clock.due_at == NOON + minutes(60)
    assert announced == ["clock.started"]
    assert clock.next_at() == NOON + minutes(30)


def test_half_the_target_used_up_is_a_warning() -> None:
    """At 50 % a warning is announced; the next one is due at 80 %."""
    clock, _ = apply_all([accepted()], now=NOON)
    clock, warned = due(clock, now=NOON + minutes(30))
    assert [a.time for a in warned] == [NOON + minutes(30)]
    assert clock.next_at() == NOON + minutes(48)


def test_nothing_is_announced_before_its_time() -> None:
    """A microsecond before the warning is due, nothing is."""
    clock, _ = apply_all([accepted()], now=NOON)
    assert due(clock, now=NOON + minutes(30) - timedelta(microseconds=1)) == (clock, [])


def test_a_guarantee_is_breached_once() -> None:
    """At the due time the breach is announced; later nothing more."""
    clock, _ = apply_all([accepted()], now=NOON)
    clock, broken = due(clock, now=NOON + minutes(60))
    assert [a.event.type for a in broken] == ["premium.promise.breached.v1"]
    assert broken[0].time == NOON + minutes(60)
    assert due(clock, now=NOON + minutes(600)) == (clock, [])
    assert clock.next_at() is None


def test_an_objective_is_missed_not_breached() -> None:
    """An objective that is not met is a miss."""
    clock, _ = apply_all([accepted("seat")], now=NOON)
    _, broken = due(clock, now=NOON + timedelta(days=3))
    assert [a.event.type for a in broken] == ["premium.promise.missed.v1"]


def test_a_warning_whose_breach_has_passed_is_left_out() -> None:
    """After an outage only the breach is announced, not the earlier warnings."""
    _, announced = apply_all([accepted()], now=NOON + minutes(61))
    assert announced == ["clock.started", "promise.breached"]


def test_an_answer_at_the_due_time_is_in_time() -> None:
    """The due time itself is still in time."""
    clock, announced = apply_all([accepted(), responded(60)], now=NOON + minutes(59))
    assert announced == ["clock.started", "clock.warned", "clock.met"]
    assert due(clock, now=NOON + minutes(61)) == (clock, [])


def test_a_late_answer_settles_the_clock_and_still_breaks_the_promise() -> None:
    """The breach is announced once it is due, though the answer was known before."""
    clock, announced = apply_all([accepted(), responded(70)], now=NOON)
    assert announced == ["clock.started", "clock.met"]
    assert clock.next_at() == NOON + minutes(60)
    _, broken = due(clock, now=NOON + minutes(60))
    assert [a.event.type for a in broken] == ["premium.promise.breached.v1"]


def test_a_late_fact_of_an_answer_in_time_retracts_the_breach() -> None:
    """The retraction names the breach."""
    late = NOON + minutes(90)
    known = [accepted(), responded(20)]
    breached, before = apply_all(known[:1], now=late)
    clock, announced, _ = update_clock(breached, derive(known)[0], known[1], now=late)
    retracted = [a for a in announced if a.event.type == "premium.promise.retracted.v1"]
    assert before[-1] == "promise.breached"
    assert retracted[0].event.model_dump()["retracted_id"] == breached.broken_id
    assert clock.broken is None


def test_a_wait_moves_the_due_time() -> None:
    """Twenty minutes of waiting for the customer move it by twenty minutes."""
    clock, announced = apply_all([accepted(), waiting(10), resumed(30)], now=NOON + minutes(29))
    assert clock.due_at == NOON + minutes(80)
    assert announced == ["clock.started", "clock.paused", "clock.resumed"]


def test_nothing_is_due_while_a_ticket_waits() -> None:
    """A paused clock has no due time."""
    clock, announced = apply_all([accepted(), waiting(10)], now=NOON + minutes(10))
    assert (clock.due_at, clock.next_at()) == (None, None)
    assert announced == ["clock.started", "clock.paused"]


def test_a_wait_after_the_due_time_changes_nothing() -> None:
    """A breach before the wait stays a breach."""
    clock, _ = apply_all([accepted(), waiting(61)], now=NOON + minutes(62))
    assert clock.broken == "breached"


def test_a_customers_reply_ends_the_wait() -> None:
    """The clock runs on from the reply."""
    reply = fact(CustomerReplied(ticket_id=TICKET), 25)
    clock, _ = apply_all([accepted(), waiting(10), reply], now=NOON + minutes(25))
    assert clock.due_at == NOON + minutes(75)


def test_reclassified_is_priced_from_the_create_date() -> None:
    """Critical after ten minutes: due half an hour after creation, not after the change."""
    change = fact(TicketReclassified(ticket_id=TICKET, severity="business_critical"), 10)
    clock, announced = apply_all([accepted(), change], now=NOON + minutes(10))
    assert clock.due_at == NOON + minutes(30)
    assert announced == ["clock.started", "clock.repriced"]


def test_closed_unanswered_is_cancelled() -> None:
    """Nothing is owed any more."""
    closed = fact(TicketClosed(ticket_id=TICKET), 10)
    clock, announced = apply_all([accepted(), closed], now=NOON + minutes(10))
    assert clock.state == "cancelled"
    assert announced == ["clock.started", "clock.cancelled"]
    assert clock.next_at() is None


def test_reopened_runs_on_without_the_time_it_was_closed() -> None:
    """Closed for twenty minutes: due twenty minutes later."""
    closed = fact(TicketClosed(ticket_id=TICKET), 10)
    reopened = fact(TicketReopened(ticket_id=TICKET), 30)
    clock, announced = apply_all([accepted(), closed, reopened], now=NOON + minutes(29))
    assert clock.due_at == NOON + minutes(80)
    assert announced == ["clock.started", "clock.cancelled", "clock.resumed"]


def test_facts_before_their_request_wait_for_it() -> None:
    """A response that arrives before its request settles the clock when it starts."""
    _, announced = apply_all([responded(5), accepted()], now=NOON + minutes(6))
    assert announced == ["clock.started", "clock.met"]


LATER = st.one_of(
    st.builds(lambda m: fact(TicketResponded(ticket_id=TICKET), m), st.integers(0, 200)),
    st.builds(
        lambda m: fact(TicketWaiting(ticket_id=TICKET, waiting_for="vendor"), m),
        st.integers(0, 200),
    ),
    st.builds(lambda m: fact(TicketResumed(ticket_id=TICKET), m), st.integers(0, 200)),
    st.builds(lambda m: fact(TicketResolved(ticket_id=TICKET), m), st.integers(0, 200)),
    st.builds(lambda m: fact(TicketClosed(ticket_id=TICKET), m), st.integers(0, 200)),
    st.builds(lambda m: fact(TicketReopened(ticket_id=TICKET), m), st.integers(0, 200)),
    st.builds(
        lambda m: fact(TicketReclassified(ticket_id=TICKET, severity="business_critical"), m),
        st.integers(0, 200),
    ),
)
MOMENT = st.integers(0, 260).map(lambda m: NOON + minutes(m))


@given(st.lists(LATER, max_size=7, unique_by=lambda f: f.id), st.randoms(), MOMENT)
def test_the_order_of_arrival_does_not_matter(
    later: list[Fact], random: object, now: datetime
) -> None:
    """Every permutation of the facts leads to the same clock and the same breach."""
    facts = [accepted(), *later]
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    straight, _ = apply_all(facts, now=now)
    crooked, _ = apply_all(shuffled, now=now)
    assert verdict(straight) == verdict(crooked)


def verdict(clock: Clock) -> tuple[object, ...]:
    """Return the fields that do not depend on the order of arrival."""
    return (clock.due_at, clock.state, clock.settled_at, clock.severity, clock.broken)


@given(st.lists(LATER, max_size=6, unique_by=lambda f: f.id), MOMENT)
def test_the_sweep_always_comes_to_an_end(later: list[Fact], now: datetime) -> None:
    """Every announcement moves the next due time forward."""
    clock, _ = apply_all([accepted(), *later], now=now)
    for _ in range(4):
        at = clock.next_at()
        if at is None:
            break
        assert at > now
        now = at
        clock, announced = due(clock, now=now)
        assert announced
    assert clock.next_at() is None
