"""The timeline of a ticket: changes by facts, warnings and breaches, and explanations."""

from datetime import datetime, timedelta
from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from shared.events import (
    NAMESPACE,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    TicketAbsorbed,
    TicketClosed,
    TicketNoted,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
    ticket_id_of,
)
from shared.events.codec import Record, headers_of, value_of
from shared.sla.promises import Severity
from shared.testing.builders import NOON, a_fact, a_ticket, minutes, reclassified
from sla_monitor.domain import Fact, Key, derive
from sla_monitor.domain.change import (
    Broke,
    Cancelled,
    Met,
    Moved,
    Passing,
    Repriced,
    Retracted,
    Started,
)
from sla_monitor.domain.explanations import why
from sla_monitor.domain.replay import Learned
from sla_monitor.domain.timeline import Entry, FactApplied, TimePassed, timeline
from sla_monitor.handlers import decode

ACCEPTED = a_ticket("T1")


def at(after_min: float) -> datetime:
    """Return an instant, in minutes after noon."""
    return NOON + minutes(after_min)


def waiting(after_min: float) -> Fact:
    """Make a wait for the customer from then on."""
    event: Event = TicketWaiting(ticket_id=ticket_id_of("test", "T1"), waiting_for="customer")
    return Envelope(uuid5(NAMESPACE, f"waiting{after_min}"), "test", at(after_min), event)


def absorbed(after_min: float, created_min: float) -> Fact:
    """Merge a duplicate that was created so many minutes after noon."""
    event: Event = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "T1"),
        absorbed=ticket_id_of("test", "T0"),
        create_date=at(created_min),
    )
    return Envelope(uuid5(NAMESPACE, f"{event!r}{after_min}"), "test", at(after_min), event)


def at_once(*facts: Fact) -> list[Learned]:
    """Make facts that arrive when they occur."""
    return [Learned(fact, fact.time) for fact in facts]


def facts_applied(entries: list[Entry]) -> list[FactApplied]:
    """Return only the facts."""
    return [entry for entry in entries if isinstance(entry, FactApplied)]


def passed(entries: list[Entry]) -> list[tuple[datetime, Passing]]:
    """Return only the warnings and breaches."""
    return [(entry.at, entry.change) for entry in entries if isinstance(entry, TimePassed)]


def test_acceptance_starts_a_clock() -> None:
    """The first entry has the target, the due time and the explanation."""
    [entry] = timeline(at_once(ACCEPTED), now=NOON)
    assert isinstance(entry, FactApplied)
    [change] = entry.changes
    assert isinstance(change, Started)
    assert (change.target_ms, change.due_at) == (3_600_000, at(60))
    assert why(entry) == "promises run from the create date"


def test_warnings_and_the_breach_are_included_up_to_now() -> None:
    """Entries after now are not included."""
    brought = passed(timeline(at_once(ACCEPTED), now=at(60)))
    assert [(when, change.change) for when, change in brought] == [
        (at(30), "warned"),
        (at(48), "warned"),
        (at(60), "broken"),
    ]
    assert len(passed(timeline(at_once(ACCEPTED), now=at(59)))) == 2


def test_a_wait_takes_the_due_time_away_and_gives_it_back_later() -> None:
    """Paused, nothing is due; resumed, the due time is later by the wait."""
    facts = at_once(ACCEPTED, waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    _, pause, resume = facts_applied(timeline(facts, now=at(31)))
    [paused], [resumed] = pause.changes, resume.changes
    assert isinstance(paused, Moved)
    assert (paused.change, paused.due_before, paused.due_at) == ("paused", at(60), None)
    assert isinstance(resumed, Moved)
    assert (resumed.change, resumed.due_before, resumed.due_at) == ("resumed", None, at(80))
    assert why(pause) == "time does not count during the wait"


def test_a_reclassification_shows_both_targets() -> None:
    """The target changes from an hour to half an hour, from the same create date."""
    facts = at_once(ACCEPTED, reclassified("T1", "business_critical", after_min=10))
    _, entry = facts_applied(timeline(facts, now=at(11)))
    [change] = entry.changes
    assert isinstance(change, Repriced)
    assert (change.due_before, change.due_at) == (at(60), at(30))
    assert (change.target_before_ms, change.target_ms) == (3_600_000, 1_800_000)
    assert why(entry) == "what is open is priced again, from the same create date"


def test_a_fact_without_effect_is_explained() -> None:
    """The entry of a note explains why it changed no clock."""
    facts = at_once(ACCEPTED, a_fact(TicketNoted, "T1", after_min=5))
    _, entry = facts_applied(timeline(facts, now=at(6)))
    assert entry.changes == ()
    assert why(entry) == "a note is no answer"


def test_a_late_answer_retracts_the_breach() -> None:
    """The breach stays in the timeline, marked; the answer's entry has the retraction."""
    answer = a_fact(TicketResponded, "T1", after_min=20)
    entries = timeline([*at_once(ACCEPTED), Learned(answer, at(90))], now=at(91))
    met, retracted = facts_applied(entries)[1].changes
    assert isinstance(met, Met)
    assert met.in_time
    assert isinstance(retracted, Retracted)
    assert (retracted.said_due_at, retracted.reason) == (at(60), "answered")
    [broke] = [change for _, change in passed(entries) if isinstance(change, Broke)]
    assert broke.taken_back


def test_a_fact_is_late_if_a_later_one_arrived_first() -> None:
    """A fact that arrived after a later fact is late; the later fact is not."""
    note = a_fact(TicketNoted, "T1", after_min=30)
    answer = Learned(a_fact(TicketResponded, "T1", after_min=20), at(40))
    entries = facts_applied(timeline([*at_once(ACCEPTED, note), answer], now=at(41)))
    assert [entry.late for entry in entries] == [False, True, False]


def test_a_breach_by_a_late_fact_is_marked() -> None:
    """A request that arrives after its due time is broken at the due time, and marked late."""
    [_, entry] = timeline([Learned(ACCEPTED, at(90))], now=at(91))
    assert isinstance(entry, TimePassed)
    assert (entry.at, entry.learned_at, entry.late) == (at(60), at(90), True)


def test_closed_unanswered_is_cancelled_and_owed_again_when_reopened() -> None:
    """The due time moves by the time it was closed."""
    close, reopen = (a_fact(kind, "T1", after_min=m) for kind, m in CLOSED_AND_REOPENED)
    _, closed, reopened = facts_applied(timeline(at_once(ACCEPTED, close, reopen), now=at(31)))
    [cancelled], [resumed] = closed.changes, reopened.changes
    assert isinstance(cancelled, Cancelled)
    assert cancelled.reason == "closed"
    assert isinstance(resumed, Moved)
    assert (resumed.change, resumed.due_at) == ("resumed", at(80))


def test_a_merged_duplicate_moves_the_due_time_back() -> None:
    """A merge must not extend a due time; the timeline explains the earlier one."""
    _, entry = facts_applied(timeline(at_once(ACCEPTED, absorbed(5, -10)), now=at(6)))
    [change] = entry.changes
    assert isinstance(change, Moved)
    assert (change.change, change.due_before, change.due_at) == ("moved", at(60), at(50))
    assert why(entry).endswith("was promised is owed here")


def test_inside_a_declared_exception_nothing_is_breached() -> None:
    """A guarantee that is not met is a miss there."""
    declared = timeline(at_once(ACCEPTED), now=at(60), exception_of=lambda *_: "outage")
    [broke] = [change for _, change in passed(declared) if isinstance(change, Broke)]
    assert broke.called == "missed"


CLOSED_AND_REOPENED = ((TicketClosed, 10.0), (TicketReopened, 30.0))
PLAIN = (TicketResponded, TicketResumed, TicketResolved, TicketClosed, TicketReopened)
MINUTE = st.integers(0, 200)
SEVERITY: st.SearchStrategy[Severity] = st.sampled_from(["standard", "business_critical"])
FACT = st.one_of(
    st.builds(absorbed, MINUTE, st.integers(-60, 60)),
    st.builds(waiting, MINUTE),
    st.builds(lambda kind, m: a_fact(kind, "T1", after_min=m), st.sampled_from(PLAIN), MINUTE),
    st.builds(lambda m: a_fact(CustomerReplied, "T1", after_min=m), MINUTE),
    st.builds(lambda s, m: reclassified("T1", s, after_min=m), SEVERITY, MINUTE),
)
LEARNED = st.builds(
    lambda fact, late_min: Learned(fact, fact.time + minutes(late_min)), FACT, st.integers(0, 60)
)
FACTS = st.lists(LEARNED, max_size=7, unique_by=lambda one: one.fact.id)


@given(FACTS, st.integers(0, 90))
def test_the_last_due_time_of_the_timeline_is_the_clocks(
    later: list[Learned], late_min: int
) -> None:
    """For any facts and arrival times, the timeline ends in the state of the clocks."""
    learned = [Learned(ACCEPTED, at(late_min)), *later]
    due_at: dict[Key, datetime | None] = {}
    for entry in facts_applied(timeline(learned, now=at(300))):
        for change in entry.changes:
            if not isinstance(change, Retracted):
                due_at[ACCEPTED.event.ticket_id, change.kind, change.started_by] = change.due_at  # type: ignore[attr-defined]
    for clock in derive(one.fact for one in learned):
        assert due_at[clock.key] == clock.due_at


@given(FACTS, st.integers(0, 90))
def test_the_breaches_of_the_timeline_are_the_clocks(later: list[Learned], late_min: int) -> None:
    """The breaches in the timeline are those of the derived clocks."""
    learned = [Learned(ACCEPTED, at(late_min)), *later]
    now = at(300)
    changes = [change for _, change in passed(timeline(learned, now=now))]
    broken = [c.started_by for c in changes if isinstance(c, Broke) and not c.taken_back]
    late = [c.started_by for c in derive(one.fact for one in learned) if c.is_late(now)]
    assert sorted(broken) == sorted(late)


@given(FACTS)
def test_the_timeline_has_every_fact_in_order(later: list[Learned]) -> None:
    """It has each fact once, in order of time, with an explanation."""
    learned = [*at_once(ACCEPTED), *later]
    entries = timeline(learned, now=at(300))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert {e.fact.id for e in facts_applied(entries)} == {one.fact.id for one in learned}
    assert all(why(entry) for entry in facts_applied(entries))


def test_an_explanation_contains_no_code() -> None:
    """Explanations contain no braces and no underscores."""
    facts = at_once(ACCEPTED, waiting(1), reclassified("T1", "business_critical", after_min=2))
    sentences = [
        why(entry) for entry in facts_applied(timeline(facts, now=NOON + timedelta(hours=1)))
    ]
    assert not [text for text in sentences if set("{}_") & set(text)]


def test_a_call_for_another_ticket_answers_this_one() -> None:
    """One call to a shared number meets the promises of both tickets."""
    ticket = a_ticket("T1", channel="phone")
    event: Event = CallbackSettled(
        ticket_id=ticket_id_of("test", "T1"), how="answered", on=ticket_id_of("test", "T2")
    )
    settled = Envelope(uuid5(NAMESPACE, "settled"), "test", at(3), event)
    (clock,) = derive([settled, ticket])
    assert (clock.kind, clock.state, clock.settled_at) == ("callback", "met", at(3))
    known = [Learned(ticket, at(0)), Learned(settled, at(3))]
    last = timeline(known, now=at(9))[-1]
    assert isinstance(last, FactApplied)
    assert why(last) == "the call answers every ticket that waited for it"


def test_upstreams_event_answers_and_not_routers_copy() -> None:
    """Upstream's event and router's copy have one time: the same fact always meets the promise."""
    ticket_id = ticket_id_of("test", "T1")
    event: Event = CallbackSettled(ticket_id=ticket_id, how="reached", on=ticket_id)
    echo = Envelope(uuid5(NAMESPACE, "settled"), "test", at(3), event)
    event = CustomerReached(ticket_id=ticket_id)
    reached = Envelope(uuid5(NAMESPACE, "reached"), "test", at(3), event)
    (clock,) = derive([echo, a_ticket("T1", channel="phone")])
    assert clock.state == "running"
    (clock,) = derive([echo, reached, a_ticket("T1", channel="phone")])
    assert (clock.state, clock.settled_at) == ("met", at(3))


def test_the_number_key_is_not_stored() -> None:
    """Clocks do not need the number key, and an erasure would not reach it here."""
    event = a_ticket("T1").event.model_copy(update={"number_key": "0123456789abcdef"})
    envelope = Envelope(uuid5(NAMESPACE, "accepted"), "intake", NOON, event)
    record = Record("tickets.v1", 0, 0, None, value_of(event), headers_of(envelope))
    found = decode(record)
    assert isinstance(found, Envelope)
    assert found.event == a_ticket("T1").event
