"""Callbacks: one rule in each test, and properties for any facts in any order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.assignment.session import AssignmentSession
from router.domain.callbacks import (
    REDIAL_RULE,
    AlreadySettled,
    Call,
    CallbackEvent,
    CallbackRequest,
    CallReport,
    LedgerSession,
    NoCallback,
    apply_event,
    calls_of,
    record_attempt,
)
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import (
    AssignmentReleased,
    AttemptOutcome,
    CallbackAttempted,
    CallbackJoined,
    CallbackPlanned,
    CallbackSettled,
    Contact,
    CustomerReached,
    Envelope,
    Event,
    TicketAccepted,
    TicketAssigned,
    TicketClosed,
    TicketErased,
    TicketFact,
    TicketMerged,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    ticket_id_of,
)
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, minutes
from shared.tickets import FactKind

type Step = Envelope[Event] | CallReport

NUMBER: Final = "0123456789abcdef"
NAMES: Final = {ticket_id_of("test", f"T{n}"): f"T{n}" for n in range(10)}
OUTCOMES: Final[tuple[AttemptOutcome, ...]] = ("answered", "no_answer", "busy", "wrong_number")


def request(
    name: str,
    *,
    after_min: float = 0,
    channel: Channel = "phone",
    dialled: bool = False,
    number_key: str | None = NUMBER,
) -> Envelope[Event]:
    """Build a request for a call to the number."""
    envelope = a_ticket(name, channel=channel, after_min=after_min)
    assert isinstance(envelope.event, TicketAccepted)
    promises = () if dialled else envelope.event.promises
    changes = {"number_key": number_key, "dialled": dialled, "promises": promises}
    return Envelope(envelope.id, "test", envelope.time, envelope.event.model_copy(update=changes))


def dials(
    name: str, outcome: AttemptOutcome, *, after_min: float, by: str = "ann", now: bool = False
) -> CallReport:
    """Build a report of a call on a ticket."""
    at = None if now else NOON + minutes(after_min)
    return CallReport(ticket_id_of("test", name), by, outcome, at, None)


class Run:
    """A session and its ledgers, without a database."""

    def __init__(self, *steps: Step, at: float = 60) -> None:
        self.now = NOON + minutes(at)
        self.session = AssignmentSession(Roster([]), [], self.now, OfferRules(rings={}))
        self.ledgers = LedgerSession((), ())
        for step in (a_specialist("ann"), a_specialist("ben"), *steps):
            self.apply(step)

    def apply(self, step: Step) -> None:
        """Apply one event or report."""
        if isinstance(step, CallReport):
            record_attempt(self.session, self.ledgers, step, self.now)
        else:
            apply_event(self.session, self.ledgers, step)

    def announced[E: Event](self, kind: type[E]) -> list[E]:
        """Return the announced events of a type."""
        envelopes = (*self.ledgers.announced, *self.session.state.announced)
        return [e.event for e in envelopes if isinstance(e.event, kind)]

    def calls(self, name: str = "T1") -> list[Call]:
        """Return the calls of a ticket's ledger."""
        return self.ledgers.calls(ticket_id_of("test", name))

    def settled(self) -> dict[str, tuple[Contact, float]]:
        """Return how, and after how many minutes, tickets were settled by the last events."""
        found = {}
        for envelope in self.ledgers.announced:
            if isinstance(envelope.event, CallbackSettled):
                after_min = (envelope.time - NOON) / minutes(1)
                found[NAMES[envelope.event.ticket_id]] = (envelope.event.how, after_min)
        return found

    def assigned(self) -> list[str]:
        """Return the tickets that were assigned, in order."""
        return [NAMES[event.ticket_id] for event in self.announced(TicketAssigned)]


def test_two_requests_for_one_number_are_one_call() -> None:
    """The second is not assigned; the answered call settles both and frees the specialist."""
    run = Run(request("T1"), request("T2", after_min=1), dials("T1", "answered", after_min=2))
    assert run.assigned() == ["T1"]
    assert [(NAMES[e.ticket_id], NAMES[e.joined]) for e in run.announced(CallbackJoined)] == [
        ("T2", "T1")
    ]
    assert run.settled() == {"T1": ("answered", 2), "T2": ("answered", 2)}
    assert [e.cause for e in run.announced(AssignmentReleased)] == ["reached"]
    assert not any(t.waits for t in run.session.state.tickets.values())


def test_requests_for_different_numbers_are_different_calls() -> None:
    """Requests without a number are never joined."""
    run = Run(request("T1"), request("T2", number_key="another"), request("T3", number_key=None))
    assert len(run.assigned()) == 2
    assert run.announced(CallbackJoined) == []


def test_a_joined_request_is_assigned_when_the_first_is_closed() -> None:
    """The first is closed without a call: a call is still owed on the second."""
    run = Run(request("T1"), request("T2", after_min=1), a_fact(TicketClosed, "T1", after_min=2))
    assert run.assigned() == ["T1", "T2"]
    assert run.settled() == {}


def test_a_request_that_overtook_an_earlier_one_keeps_its_specialist() -> None:
    """Its specialist calls; the earlier request joins it."""
    run = Run(request("T2", after_min=1), request("T1"), dials("T2", "answered", after_min=2))
    assert run.assigned() == ["T2"]
    assert set(run.settled()) == {"T1", "T2"}


@pytest.mark.parametrize(
    ("contact", "how"),
    [
        ((request("T2", after_min=2, dialled=True),), "dialled"),
        ((a_fact(CustomerReached, "T1", after_min=2),), "reached"),
        (
            (
                request("T2", channel="chat", after_min=1),
                a_fact(CustomerReached, "T2", after_min=2),
            ),
            "reached",
        ),
    ],
)
def test_a_customer_who_was_spoken_to_is_not_called(
    contact: Sequence[Envelope[Event]], how: str
) -> None:
    """They dialled in, or were reached on any channel: no call is owed any more."""
    run = Run(request("T1"), *contact)
    assert run.settled()["T1"] == (how, 2)
    assert run.calls()[0].planned_at is None
    assert run.announced(AssignmentReleased)[0].ticket_id == ticket_id_of("test", "T1")
    with pytest.raises(AlreadySettled):
        run.apply(dials("T1", "no_answer", after_min=3))


@pytest.mark.parametrize("over", [TicketResponded, TicketResolved, TicketErased])
def test_no_call_is_owed_on_a_finished_ticket(over: type[TicketFact]) -> None:
    """A response, a resolution or an erasure settles this ticket only."""
    run = Run(request("T1"), a_fact(over, "T1", after_min=1))
    assert run.calls()[0].open == ()
    assert run.settled() == {}
    assert not any(ticket.waits for ticket in run.session.state.tickets.values())


def test_no_call_is_owed_on_a_merged_duplicate() -> None:
    """The call is owed on the other ticket."""
    merged = TicketMerged(ticket_id=ticket_id_of("test", "T1"), into=ticket_id_of("test", "T2"))
    run = Run(request("T1"), Envelope(UUID(int=1), "test", NOON, merged))
    assert run.calls()[0].open == ()


@pytest.mark.parametrize(("outcome", "again_min"), [("no_answer", 2.6), ("busy", 1.8)])
def test_a_failed_attempt_is_repeated_before_the_due_time(
    outcome: AttemptOutcome, again_min: float
) -> None:
    """The next dial follows after a share of the time left, here 4 of 5 minutes."""
    run = Run(request("T1"), dials("T1", outcome, after_min=1))
    (planned,) = run.announced(CallbackPlanned)
    assert planned.planned_at == NOON + minutes(again_min)
    assert (planned.attempt, planned.due_at) == (2, NOON + minutes(5))


@pytest.mark.parametrize(
    "attempts",
    [
        (dials("T1", "wrong_number", after_min=1),),
        tuple(dials("T1", "busy", after_min=n) for n in (1, 2, 3)),
        (dials("T1", "no_answer", after_min=6),),
    ],
)
def test_no_dial_is_planned_if_it_would_be_useless(attempts: Sequence[CallReport]) -> None:
    """After a wrong number, three attempts or the due time; the call is still owed."""
    call = Run(request("T1"), *attempts).calls()[0]
    assert call.planned_at is None
    assert call.open


def test_a_repeated_request_is_called_at_once() -> None:
    """The customer is at the telephone now, and gave the number again."""
    run = Run(request("T1"), dials("T1", "wrong_number", after_min=1), request("T2", after_min=2))
    (call,) = run.calls()
    assert call.planned_at == NOON + minutes(2)


def test_an_attempt_that_is_reported_twice_counts_once() -> None:
    """A repeated report has the same time, or comes within twenty seconds without one."""
    for twice in (dials("T1", "busy", after_min=2), dials("T1", "busy", after_min=0, now=True)):
        run = Run(request("T1"), twice, twice)
        assert len(run.announced(CallbackAttempted)) == 1
    run = Run(request("T1"), dials("T1", "busy", after_min=0, now=True), at=2)
    run.now += timedelta(seconds=21)
    run.apply(dials("T1", "busy", after_min=0, now=True))
    assert [e.attempt for e in run.announced(CallbackAttempted)] == [1, 2]


def test_an_answered_call_may_be_reported_again_at_any_time() -> None:
    """A client may repeat its report long after a lost connection."""
    again = dials("T1", "answered", after_min=0, now=True)
    run = Run(request("T1"), again)
    run.now += minutes(10)
    run.apply(again)
    assert len(run.announced(CallbackAttempted)) == 1


@pytest.mark.parametrize(
    "ticket",
    [request("T1", channel="email"), request("T1", dialled=True), request("T1", after_min=9)],
)
def test_an_attempt_needs_a_requested_call(ticket: Envelope[Event]) -> None:
    """An e-mail, a customer who called us, and a later request have no owed call."""
    with pytest.raises(NoCallback):
        Run(ticket, dials("T1", "answered", after_min=5))


def test_an_erased_ticket_has_no_number() -> None:
    """Its key is deleted; the other tickets of the ledger keep theirs."""
    run = Run(request("T1"), request("T2"), a_fact(TicketErased, "T1", after_min=1), request("T3"))
    assert run.ledgers.entries[ticket_id_of("test", "T1")].number_key is None
    assert [NAMES[w.ticket_id] for w in run.calls("T3")[-1].requests if w.ticket_id in NAMES]
    assert run.calls("T2") == run.calls("T3")


moments = st.integers(0, 12)
names = st.sampled_from([f"T{n}" for n in range(4)])
steps = st.one_of(
    st.builds(
        request, names, after_min=moments, channel=st.sampled_from(["phone", "phone", "chat"])
    ),
    st.builds(request, st.sampled_from(["T8", "T9"]), after_min=moments, dialled=st.just(True)),  # noqa: FBT003
    st.builds(
        a_fact,
        st.sampled_from(
            [CustomerReached, TicketResponded, TicketResolved, TicketClosed, TicketReopened]
        ),
        names,
        after_min=moments,
    ),
)
dialling = st.builds(dials, names, st.sampled_from(OUTCOMES), after_min=moments)


def one_request_each(sequence: Sequence[Step]) -> list[Step]:
    """Keep the first request of each ticket, and each fact once."""
    kept: dict[object, Step] = {}
    for step in sequence:
        is_request = isinstance(step, Envelope) and isinstance(step.event, TicketAccepted)
        kept.setdefault(step.event.subject if is_request else repr(step), step)  # type: ignore[union-attr]
    return list(kept.values())


facts = st.lists(steps, max_size=10).map(one_request_each)
histories = st.tuples(facts, st.lists(dialling, max_size=4)).flatmap(
    lambda both: st.tuples(
        st.permutations(both[0]), st.permutations(both[0] + both[0]), st.just(both[1])
    )
)


def session_after(first: Sequence[Step], then: Sequence[Step]) -> Run:
    """Apply facts in some order, then attempts."""
    run = Run(*first)
    for step in then:
        try:
            run.apply(step)
        except (NoCallback, AlreadySettled):
            continue
    return run


def states(run: Run) -> dict[UUID, list[Call]]:
    """Return the calls of all ledgers."""
    return {ticket_id: run.ledgers.calls(ticket_id) for ticket_id in run.ledgers.entries}


@given(histories)
def test_the_ledger_is_a_function_of_the_set_of_facts(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """The order of facts, and repetitions, make no difference."""
    once, twice, attempts = history
    one, other = session_after(once, attempts), session_after(twice, attempts)
    assert states(one) == states(other)


@given(histories)
def test_every_settlement_is_announced(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """The last event about it has the right time and way."""
    run = session_after(history[0], history[2])
    announced = run.settled()
    for calls in states(run).values():
        for ticket_id, settled in ((i, s) for call in calls for i, s in call.settled.items()):
            after_min = (settled.at - NOON) / minutes(1)
            assert announced[NAMES[ticket_id]] == (settled.how, after_min)


@given(histories)
def test_no_dial_is_planned_for_a_settled_call(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """A number has at most one open call, and its plan lies before the open requests are due."""
    run = session_after(history[0], history[2])
    for calls in states(run).values():
        assert sum(bool(call.open) for call in calls) <= 1
        for call in calls:
            assert call.open or call.planned_at is None
            assert not set(call.open) & set(call.settled)
            if call.planned_at is not None and call.attempts and call.due_at is not None:
                assert call.planned_at < max(call.due_at, latest(call) + minutes(0.001))


@given(histories)
def test_a_call_has_one_specialist_at_most(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """However many tickets wait for it; a ticket without an owed call is in no queue."""
    run = session_after(history[0], history[2])
    tickets = run.session.state.tickets
    for calls in states(run).values():
        for call in calls:
            busy = [i for i in call.open if tickets[i].specialist_id or tickets[i].waits]
            assert len(busy) == bool(call.open)


def latest(call: Call) -> datetime:
    """Return the time of the last request."""
    return max(w.at for w in call.requests)


def ledger(*events: tuple[FactKind, float]) -> Call:
    """Return the call owed since noon after further facts of its ticket."""
    ticket_id = ticket_id_of("test", "T1")
    owed = CallbackRequest(ticket_id, NOON, NOON + minutes(5), owed=True, reopen_within_s=3600)
    facts = [
        CallbackEvent(UUID(int=n), ticket_id, NOON + minutes(after_min), kind)
        for n, (kind, after_min) in enumerate(events)
    ]
    (call,) = calls_of([owed, *facts], REDIAL_RULE)
    return call


def test_a_reply_to_a_closed_ticket_reopens_its_call() -> None:
    """Within the policy's limit; an answered call stays answered."""
    assert ledger(("closed", 2)).over_at == NOON + minutes(2)
    assert ledger(("closed", 2), ("replied", 62)).open
    assert ledger(("closed", 2), ("reopened", 90)).open
    assert not ledger(("closed", 2), ("replied", 62.1)).open
    assert not ledger(("resolved", 2), ("replied", 3)).open
    assert not ledger(("merged", 2), ("replied", 3)).open
