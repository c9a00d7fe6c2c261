"""Promised calls: one rule a test, and properties over any set of facts in any order."""

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
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes, told
from shared.tickets import Kind

type Step = Envelope[Event] | CallReport

NUMBER: Final = "0123456789abcdef"
NAMES: Final = {ticket_id_of("test", f"T{n}"): f"T{n}" for n in range(10)}
OUTCOMES: Final[tuple[AttemptOutcome, ...]] = ("answered", "no_answer", "busy", "wrong_number")


def request(
    name: str,
    *,
    after_min: float = 0,
    channel: Channel = "phone",
    report: bool = False,
    number_key: str | None = NUMBER,
) -> Envelope[Event]:
    """Accept a ticket at the number."""
    envelope = a_ticket(name, channel=channel, after_min=after_min)
    assert isinstance(envelope.event, TicketAccepted)
    promises = () if report else envelope.event.promises
    changes = {"number_key": number_key, "dialled": report, "promises": promises}
    return Envelope(envelope.id, "test", envelope.time, envelope.event.model_copy(update=changes))


def dials(
    name: str, outcome: AttemptOutcome, *, after_min: float, by: str = "ann", now: bool = False
) -> CallReport:
    """Dial for a ticket."""
    at = None if now else NOON + minutes(after_min)
    return CallReport(ticket_id_of("test", name), by, outcome, at, None)


class Room:
    """A session and its ledgers, without a database between them."""

    def __init__(self, *steps: Step, at: float = 60) -> None:
        self.now = NOON + minutes(at)
        self.session = AssignmentSession(Roster([]), [], self.now, OfferRules(rings={}))
        self.ledgers = LedgerSession((), ())
        for step in (a_specialist("ann"), a_specialist("ben"), *steps):
            self.play(step)

    def play(self, step: Step) -> None:
        """Let one thing happen."""
        if isinstance(step, CallReport):
            record_attempt(self.session, self.ledgers, step, self.now)
        else:
            apply_event(self.session, self.ledgers, step)

    def said[E: Event](self, kind: type[E]) -> list[E]:
        """Pick what was announced."""
        told = (*self.ledgers.announced, *self.session.state.announced)
        return [e.event for e in told if isinstance(e.event, kind)]

    def calls(self, name: str = "T1") -> list[Call]:
        """Read a ledger."""
        return self.ledgers.calls(ticket_id_of("test", name))

    def settled(self) -> dict[str, tuple[Contact, float]]:
        """Say how, and after how many minutes, tickets were settled: by what was announced last."""
        found = {}
        for envelope in self.ledgers.announced:
            if isinstance(envelope.event, CallbackSettled):
                after_min = (envelope.time - NOON) / minutes(1)
                found[NAMES[envelope.event.ticket_id]] = (envelope.event.how, after_min)
        return found

    def given(self) -> list[str]:
        """Say which tickets were given to somebody, in order."""
        return [NAMES[event.ticket_id] for event in self.said(TicketAssigned)]


def test_two_requests_for_one_number_are_one_call() -> None:
    """The second is given to nobody; the answered call settles both and frees the specialist."""
    room = Room(request("T1"), request("T2", after_min=1), dials("T1", "answered", after_min=2))
    assert room.given() == ["T1"]
    assert [(NAMES[e.ticket_id], NAMES[e.joined]) for e in room.said(CallbackJoined)] == [
        ("T2", "T1")
    ]
    assert room.settled() == {"T1": ("answered", 2), "T2": ("answered", 2)}
    assert [e.cause for e in room.said(AssignmentReleased)] == ["reached"]
    assert not any(t.waits for t in room.session.state.tickets.values())


def test_other_numbers_are_other_calls() -> None:
    """So are requests without a number."""
    room = Room(request("T1"), request("T2", number_key="another"), request("T3", number_key=None))
    assert len(room.given()) == 2
    assert room.said(CallbackJoined) == []


def test_who_waited_along_is_found_somebody_when_the_first_gives_up() -> None:
    """The first is closed without a call: the second is still owed one."""
    room = Room(request("T1"), request("T2", after_min=1), told(TicketClosed, "T1", after_min=2))
    assert room.given() == ["T1", "T2"]
    assert room.settled() == {}


def test_a_request_that_overtook_an_earlier_one_keeps_its_specialist() -> None:
    """Whoever has it calls; the earlier one waits for that call."""
    room = Room(request("T2", after_min=1), request("T1"), dials("T2", "answered", after_min=2))
    assert room.given() == ["T2"]
    assert set(room.settled()) == {"T1", "T2"}


@pytest.mark.parametrize(
    ("contact", "how"),
    [
        ((request("T2", after_min=2, report=True),), "dialled"),
        ((told(CustomerReached, "T1", after_min=2),), "reached"),
        (
            (request("T2", channel="chat", after_min=1), told(CustomerReached, "T2", after_min=2)),
            "reached",
        ),
    ],
)
def test_a_customer_who_was_spoken_to_is_not_called(
    contact: Sequence[Envelope[Event]], how: str
) -> None:
    """They dialled in, or were reached on any channel: nobody dials, and nobody is asked to."""
    room = Room(request("T1"), *contact)
    assert room.settled()["T1"] == (how, 2)
    assert room.calls()[0].planned_at is None
    assert room.said(AssignmentReleased)[0].ticket_id == ticket_id_of("test", "T1")
    with pytest.raises(AlreadySettled):
        room.play(dials("T1", "no_answer", after_min=3))


@pytest.mark.parametrize("over", [TicketResponded, TicketResolved, TicketErased])
def test_a_ticket_that_is_over_is_not_called(over: type[TicketFact]) -> None:
    """Answered otherwise, solved or erased: that settles this ticket, and no other."""
    room = Room(request("T1"), told(over, "T1", after_min=1))
    assert room.calls()[0].open == ()
    assert room.settled() == {}
    assert not any(ticket.waits for ticket in room.session.state.tickets.values())


def test_a_merged_duplicate_is_not_called() -> None:
    """What is owed, is owed on the other."""
    merged = TicketMerged(ticket_id=ticket_id_of("test", "T1"), into=ticket_id_of("test", "T2"))
    room = Room(request("T1"), Envelope(UUID(int=1), "test", NOON, merged))
    assert room.calls()[0].open == ()


@pytest.mark.parametrize(("outcome", "again_min"), [("no_answer", 2.6), ("busy", 1.8)])
def test_a_failed_attempt_is_planned_again_inside_the_window(
    outcome: AttemptOutcome, again_min: float
) -> None:
    """After a share of the time that is left: 4 minutes are, of 5."""
    room = Room(request("T1"), dials("T1", outcome, after_min=1))
    (planned,) = room.said(CallbackPlanned)
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
def test_nobody_is_to_dial_again_where_it_makes_no_sense(attempts: Sequence[CallReport]) -> None:
    """A wrong number, three attempts, or no time left; the call is owed still."""
    call = Room(request("T1"), *attempts).calls()[0]
    assert call.planned_at is None
    assert call.open


def test_who_asks_again_is_called_at_once() -> None:
    """They are at the telephone now, and gave the number once more."""
    room = Room(request("T1"), dials("T1", "wrong_number", after_min=1), request("T2", after_min=2))
    (call,) = room.calls()
    assert call.planned_at == NOON + minutes(2)


def test_an_attempt_is_told_twice_and_counts_once() -> None:
    """By its moment, or within twenty seconds where none is said."""
    for twice in (dials("T1", "busy", after_min=2), dials("T1", "busy", after_min=0, now=True)):
        room = Room(request("T1"), twice, twice)
        assert len(room.said(CallbackAttempted)) == 1
    room = Room(request("T1"), dials("T1", "busy", after_min=0, now=True), at=2)
    room.now += timedelta(seconds=21)
    room.play(dials("T1", "busy", after_min=0, now=True))
    assert [e.attempt for e in room.said(CallbackAttempted)] == [1, 2]


def test_an_answered_call_may_be_told_again_at_any_time() -> None:
    """A lost connection may come back late."""
    again = dials("T1", "answered", after_min=0, now=True)
    room = Room(request("T1"), again)
    room.now += minutes(10)
    room.play(again)
    assert len(room.said(CallbackAttempted)) == 1


@pytest.mark.parametrize(
    "ticket",
    [request("T1", channel="email"), request("T1", report=True), request("T1", after_min=9)],
)
def test_nobody_dials_where_no_call_was_asked_for(ticket: Envelope[Event]) -> None:
    """A mail, somebody who called us, or a request that was made later."""
    with pytest.raises(NoCallback):
        Room(ticket, dials("T1", "answered", after_min=5))


def test_an_erased_ticket_is_found_by_its_number_no_more() -> None:
    """The key goes; the others of the ledger keep what they share."""
    room = Room(request("T1"), request("T2"), told(TicketErased, "T1", after_min=1), request("T3"))
    assert room.ledgers.entries[ticket_id_of("test", "T1")].number_key is None
    assert [NAMES[w.ticket_id] for w in room.calls("T3")[-1].requests if w.ticket_id in NAMES]
    assert room.calls("T2") == room.calls("T3")


moments = st.integers(0, 12)
names = st.sampled_from([f"T{n}" for n in range(4)])
steps = st.one_of(
    st.builds(
        request, names, after_min=moments, channel=st.sampled_from(["phone", "phone", "chat"])
    ),
    st.builds(request, st.sampled_from(["T8", "T9"]), after_min=moments, report=st.just(True)),  # noqa: FBT003
    st.builds(
        told,
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


def played(first: Sequence[Step], then: Sequence[Step]) -> Room:
    """Let facts come in some order, then attempts."""
    room = Room(*first)
    for step in then:
        try:
            room.play(step)
        except (NoCallback, AlreadySettled):
            continue
    return room


def states(room: Room) -> dict[UUID, list[Call]]:
    """Read all ledgers."""
    return {ticket_id: room.ledgers.calls(ticket_id) for ticket_id in room.ledgers.entries}


@given(histories)
def test_the_ledger_is_a_function_of_the_set_of_facts(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """In whatever order they come, and however often."""
    once, twice, attempts = history
    one, other = played(once, attempts), played(twice, attempts)
    assert states(one) == states(other)


@given(histories)
def test_what_is_settled_was_announced_so(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """With the moment and the way that count, whatever was announced before."""
    room = played(history[0], history[2])
    announced = room.settled()
    for calls in states(room).values():
        for ticket_id, settled in ((i, s) for call in calls for i, s in call.settled.items()):
            after_min = (settled.at - NOON) / minutes(1)
            assert announced[NAMES[ticket_id]] == (settled.how, after_min)


@given(histories)
def test_nobody_is_to_dial_once_it_is_settled(
    history: tuple[list[Step], list[Step], list[Step]],
) -> None:
    """At one number at most one call is open; a plan lies within the window of who still waits."""
    room = played(history[0], history[2])
    for calls in states(room).values():
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
    """However many tickets wait for it; and whoever is owed nothing is in nobody's queue."""
    room = played(history[0], history[2])
    tickets = room.session.state.tickets
    for calls in states(room).values():
        for call in calls:
            busy = [i for i in call.open if tickets[i].specialist_id or tickets[i].waits]
            assert len(busy) == bool(call.open)


def latest(call: Call) -> datetime:
    """Find the last wish."""
    return max(w.at for w in call.requests)


def ledger(*told: tuple[Kind, float]) -> Call:
    """Read the ledger of one call that is owed since noon, by further facts of its ticket."""
    ticket_id = ticket_id_of("test", "T1")
    owed = CallbackRequest(ticket_id, NOON, NOON + minutes(5), owed=True, reopen_within_s=3600)
    facts = [
        CallbackEvent(UUID(int=n), ticket_id, NOON + minutes(after_min), kind)
        for n, (kind, after_min) in enumerate(told)
    ]
    (call,) = calls_of([owed, *facts], REDIAL_RULE)
    return call


def test_a_reply_after_a_closing_lets_the_call_be_owed_again() -> None:
    """Within the policy's limit, whoever brings the ticket back; an answer stays one."""
    assert ledger(("closed", 2)).over_at == NOON + minutes(2)
    assert ledger(("closed", 2), ("replied", 62)).open
    assert ledger(("closed", 2), ("reopened", 90)).open
    assert not ledger(("closed", 2), ("replied", 62.1)).open
    assert not ledger(("resolved", 2), ("replied", 3)).open
    assert not ledger(("merged", 2), ("replied", 3)).open
