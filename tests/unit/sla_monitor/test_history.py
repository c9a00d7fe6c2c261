"""A ticket's history: what each fact changed, what time brought, and why, in words."""

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
from sla_monitor.domain.timeline import Entry, Happened, Passed, timeline
from sla_monitor.handlers import decode

ACCEPTED = a_ticket("T1")


def at(after_min: float) -> datetime:
    """Name an instant by the minutes after noon."""
    return NOON + minutes(after_min)


def waiting(after_min: float) -> Fact:
    """Wait for the customer from then on."""
    event: Event = TicketWaiting(ticket_id=ticket_id_of("test", "T1"), waiting_for="customer")
    return Envelope(uuid5(NAMESPACE, f"waiting{after_min}"), "test", at(after_min), event)


def absorbed(after_min: float, created_min: float) -> Fact:
    """Take in a duplicate that was created so long after noon."""
    event: Event = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "T1"),
        absorbed=ticket_id_of("test", "T0"),
        create_date=at(created_min),
    )
    return Envelope(uuid5(NAMESPACE, f"{event!r}{after_min}"), "test", at(after_min), event)


def at_once(*facts: Fact) -> list[Learned]:
    """Learn of facts the moment they happen."""
    return [Learned(fact, fact.time) for fact in facts]


def happened(entries: list[Entry]) -> list[Happened]:
    """Leave out what time brought."""
    return [entry for entry in entries if isinstance(entry, Happened)]


def passed(entries: list[Entry]) -> list[tuple[datetime, Passing]]:
    """Leave out the facts."""
    return [(entry.at, entry.change) for entry in entries if isinstance(entry, Passed)]


def test_acceptance_starts_a_clock_and_says_from_when() -> None:
    """The first entry carries the target and the due time, in the words of the rule."""
    [entry] = timeline(at_once(ACCEPTED), now=NOON)
    assert isinstance(entry, Happened)
    [change] = entry.changes
    assert isinstance(change, Started)
    assert (change.target_ms, change.due_at) == (3_600_000, at(60))
    assert why(entry) == "promises run from the create date"


def test_time_brings_warnings_and_the_breach_up_to_now() -> None:
    """What is still to come is not history."""
    brought = passed(timeline(at_once(ACCEPTED), now=at(60)))
    assert [(when, change.change) for when, change in brought] == [
        (at(30), "warned"),
        (at(48), "warned"),
        (at(60), "broken"),
    ]
    assert len(passed(timeline(at_once(ACCEPTED), now=at(59)))) == 2


def test_a_wait_takes_the_due_time_away_and_gives_it_back_later() -> None:
    """Paused, nothing is due; resumed, it is due by the wait later."""
    facts = at_once(ACCEPTED, waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    _, pause, resume = happened(timeline(facts, now=at(31)))
    [paused], [resumed] = pause.changes, resume.changes
    assert isinstance(paused, Moved)
    assert (paused.change, paused.due_before, paused.due_at) == ("paused", at(60), None)
    assert isinstance(resumed, Moved)
    assert (resumed.change, resumed.due_before, resumed.due_at) == ("resumed", None, at(80))
    assert why(pause) == "while it waits for the customer, time does not count"


def test_a_reclassified_ticket_shows_both_prices() -> None:
    """From an hour to half an hour, from the same create date."""
    facts = at_once(ACCEPTED, reclassified("T1", "business_critical", after_min=10))
    _, entry = happened(timeline(facts, now=at(11)))
    [change] = entry.changes
    assert isinstance(change, Repriced)
    assert (change.due_before, change.due_at) == (at(60), at(30))
    assert (change.target_before_ms, change.target_ms) == (3_600_000, 1_800_000)
    assert why(entry) == (
        "business critical: what is open is priced again, from the same create date"
    )


def test_what_changes_nothing_says_why() -> None:
    """A note is in the history, with the reason that it moved no clock."""
    facts = at_once(ACCEPTED, a_fact(TicketNoted, "T1", after_min=5))
    _, entry = happened(timeline(facts, now=at(6)))
    assert entry.changes == ()
    assert why(entry) == "the customer does not see a note: it answers nothing"


def test_an_answer_told_late_takes_the_breach_back() -> None:
    """The breach stays in the history, marked; the answer says what it took back, and why."""
    answer = a_fact(TicketResponded, "T1", after_min=20)
    entries = timeline([*at_once(ACCEPTED), Learned(answer, at(90))], now=at(91))
    met, retracted = happened(entries)[1].changes
    assert isinstance(met, Met)
    assert met.in_time
    assert isinstance(retracted, Retracted)
    assert (retracted.said_due_at, retracted.reason) == (at(60), "answered")
    [broke] = [change for _, change in passed(entries) if isinstance(change, Broke)]
    assert broke.taken_back


def test_late_is_what_came_after_something_later_was_known() -> None:
    """An answer from before a note that was known first is late; the note is not."""
    note = a_fact(TicketNoted, "T1", after_min=30)
    answer = Learned(a_fact(TicketResponded, "T1", after_min=20), at(40))
    entries = happened(timeline([*at_once(ACCEPTED, note), answer], now=at(41)))
    assert [entry.late for entry in entries] == [False, True, False]


def test_a_breach_that_only_a_late_fact_reveals_says_so() -> None:
    """A request learned of after its due time is broken at the due time, and known later."""
    [_, entry] = timeline([Learned(ACCEPTED, at(90))], now=at(91))
    assert isinstance(entry, Passed)
    assert (entry.at, entry.learned_at, entry.late) == (at(60), at(90), True)


def test_closed_unanswered_is_cancelled_and_owed_again_when_reopened() -> None:
    """The due time moves by the time it was closed."""
    close, reopen = (a_fact(kind, "T1", after_min=m) for kind, m in CLOSED_AND_REOPENED)
    _, closed, reopened = happened(timeline(at_once(ACCEPTED, close, reopen), now=at(31)))
    [cancelled], [resumed] = closed.changes, reopened.changes
    assert isinstance(cancelled, Cancelled)
    assert cancelled.reason == "closed"
    assert isinstance(resumed, Moved)
    assert (resumed.change, resumed.due_at) == ("resumed", at(80))


def test_an_absorbed_duplicate_moves_the_due_time_back() -> None:
    """A merge gives nobody more time, and the history says why it is less."""
    _, entry = happened(timeline(at_once(ACCEPTED, absorbed(5, -10)), now=at(6)))
    [change] = entry.changes
    assert isinstance(change, Moved)
    assert (change.change, change.due_before, change.due_at) == ("moved", at(60), at(50))
    assert why(entry).endswith("what its customer was promised is owed here")


def test_inside_a_declared_exception_nothing_is_breached() -> None:
    """What was a guarantee is missed there."""
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
def test_the_last_due_time_of_the_history_is_the_due_time(
    later: list[Learned], late_min: int
) -> None:
    """Whatever happened, and whenever it was learned, the story ends where the clocks stand."""
    learned = [Learned(ACCEPTED, at(late_min)), *later]
    due_at: dict[Key, datetime | None] = {}
    for entry in happened(timeline(learned, now=at(300))):
        for change in entry.changes:
            if not isinstance(change, Retracted):
                due_at[ACCEPTED.event.ticket_id, change.kind, change.started_by] = change.due_at  # type: ignore[attr-defined]
    for clock in derive(one.fact for one in learned):
        assert due_at[clock.key] == clock.due_at


@given(FACTS, st.integers(0, 90))
def test_what_was_broken_and_not_taken_back_is_late(later: list[Learned], late_min: int) -> None:
    """The history's verdict is the one that the facts come to."""
    learned = [Learned(ACCEPTED, at(late_min)), *later]
    now = at(300)
    changes = [change for _, change in passed(timeline(learned, now=now))]
    broken = [c.started_by for c in changes if isinstance(c, Broke) and not c.taken_back]
    late = [c.started_by for c in derive(one.fact for one in learned) if c.is_late(now)]
    assert sorted(broken) == sorted(late)


@given(FACTS)
def test_the_history_is_in_order_and_leaves_nothing_out(later: list[Learned]) -> None:
    """Each fact is there once, in order of what happened, each with its reason."""
    learned = [*at_once(ACCEPTED), *later]
    entries = timeline(learned, now=at(300))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert {e.fact.id for e in happened(entries)} == {one.fact.id for one in learned}
    assert all(why(entry) for entry in happened(entries))


def test_a_reason_names_no_code() -> None:
    """Words for people: no braces, no underscores."""
    facts = at_once(ACCEPTED, waiting(1), reclassified("T1", "business_critical", after_min=2))
    told_as = [why(entry) for entry in happened(timeline(facts, now=NOON + timedelta(hours=1)))]
    assert not [text for text in told_as if set("{}_") & set(text)]


def test_a_call_for_another_ticket_answers_this_one() -> None:
    """They wait at one number: when the customer was spoken to, both promises are kept."""
    ticket = a_ticket("T1", channel="phone")
    event: Event = CallbackSettled(
        ticket_id=ticket_id_of("test", "T1"), how="answered", on=ticket_id_of("test", "T2")
    )
    settled = Envelope(uuid5(NAMESPACE, "settled"), "test", at(3), event)
    (clock,) = derive([settled, ticket])
    assert (clock.kind, clock.state, clock.settled_at) == ("callback", "met", at(3))
    told_of = [Learned(ticket, at(0)), Learned(settled, at(3))]
    last = timeline(told_of, now=at(9))[-1]
    assert isinstance(last, Happened)
    assert why(last) == (
        "the customer was spoken to (we called): that answers every ticket that waited for the call"
    )


def test_what_upstream_told_answers_and_not_its_echo() -> None:
    """Both are of one instant: whichever comes first, the same fact keeps the promise."""
    ticket_id = ticket_id_of("test", "T1")
    event: Event = CallbackSettled(ticket_id=ticket_id, how="reached", on=ticket_id)
    echo = Envelope(uuid5(NAMESPACE, "settled"), "test", at(3), event)
    event = CustomerReached(ticket_id=ticket_id)
    reached = Envelope(uuid5(NAMESPACE, "reached"), "test", at(3), event)
    (clock,) = derive([echo, a_ticket("T1", channel="phone")])
    assert clock.state == "running"
    (clock,) = derive([echo, reached, a_ticket("T1", channel="phone")])
    assert (clock.state, clock.settled_at) == ("met", at(3))


def test_nobody_keeps_by_which_number_a_customer_is_called() -> None:
    """Neither do clocks need it, nor could an erasure reach it here."""
    event = a_ticket("T1").event.model_copy(update={"number_key": "0123456789abcdef"})
    told_by_intake = Envelope(uuid5(NAMESPACE, "accepted"), "intake", NOON, event)
    record = Record("tickets.v1", 0, 0, None, value_of(event), headers_of(told_by_intake))
    found = decode(record)
    assert isinstance(found, Envelope)
    assert found.event == a_ticket("T1").event
