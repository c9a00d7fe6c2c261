"""Which specialist gets a ticket: one rule in each test, in one session."""

from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.assignment.session import AssignmentSession
from router.domain.command_handlers import execute
from router.domain.commands import Decline, NotTheirs, Unknown
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from shared.events import (
    AssignmentExplained,
    AssignmentHandedBack,
    AssignmentReleased,
    ClockRepriced,
    ClockResumed,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    SpecialistFact,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketFact,
    TicketQueued,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    ticket_id_of,
)
from shared.sla.promises import Channel
from shared.testing.builders import (
    NOON,
    a_clock,
    a_fact,
    a_specialist,
    a_ticket,
    minutes,
    reclassified,
    removed,
)

DIRECTLY = OfferRules(rings={})
type Record = Envelope[Event] | Decline
NAMES = {ticket_id_of("test", f"T{number}"): f"T{number}" for number in range(100)}
MARKS: dict[type[Event], str] = {
    TicketAssigned: "+",
    AssignmentReleased: "-",
    TicketDeclined: "!",
    AssignmentHandedBack: "<",
}


def decline(name: str, specialist_id: str) -> Decline:
    """Build a decline of a ticket."""
    return Decline(ticket_id_of("test", name), specialist_id, "not my field")


def after(*records: Record, after_min: float = 0) -> AssignmentSession:
    """Apply records to an empty session, some minutes after noon."""
    session = AssignmentSession(Roster([]), [], NOON + minutes(after_min), DIRECTLY)
    for record in records:
        if isinstance(record, Decline):
            execute(session, record, None)
        else:
            session.apply(record)
    return session


def announced(session: AssignmentSession) -> list[str]:
    """Return the announced events: `+` assigned, `-` released, `!` declined, `<` handed back."""
    events = [e.event for e in session.state.announced if isinstance(e.event, SpecialistFact)]
    return [f"{NAMES[one.ticket_id]}{MARKS[type(one)]}{one.specialist_id}" for one in events]


def the_ticket(session: AssignmentSession, name: str = "T1") -> Ticket:
    """Return a ticket by its name."""
    return session.state.tickets[ticket_id_of("test", name)]


def assigned(session: AssignmentSession) -> list[TicketAssigned]:
    """Return the announced assignments."""
    return [e.event for e in session.state.announced if isinstance(e.event, TicketAssigned)]


def test_a_ticket_goes_to_a_specialist_of_its_channel() -> None:
    """A specialist without capacity for a channel gets no ticket of it."""
    writer, caller = (
        a_specialist("w", capacity={"email": 1}),
        a_specialist("c", capacity={"phone": 1}),
    )
    assert announced(after(writer, caller, a_ticket("T1", channel="phone"))) == ["T1+c"]


def test_a_ticket_goes_to_a_speaker_of_its_language() -> None:
    """The region of the language does not matter."""
    german, french = a_specialist("g", languages=("de",)), a_specialist("f", languages=("fr-CA",))
    session = after(german, french, a_ticket("T1", language="de-AT"), a_ticket("T2", language="fr"))
    assert announced(session) == ["T1+g", "T2+f"]
    assert not any(event.english_instead for event in assigned(session))


def test_english_is_enough_if_no_listed_specialist_speaks_the_language() -> None:
    """The event has `english_instead`."""
    session = after(a_specialist("e"), a_ticket("T1", language="ja"))
    assert announced(session) == ["T1+e"]
    assert assigned(session)[0].english_instead


def test_english_is_not_enough_while_a_speaker_is_away() -> None:
    """The ticket waits, because the roster has a speaker."""
    away = a_specialist("j", languages=("ja",), presence="away")
    assert announced(after(a_specialist("e"), away, a_ticket("T1", language="ja"))) == []


def test_english_is_enough_once_the_last_speaker_is_removed() -> None:
    """A ticket that waited for the speaker is assigned at once."""
    away = a_specialist("j", languages=("ja",), presence="away")
    ticket = a_ticket("T1", language="ja")
    assert announced(after(a_specialist("e"), away, ticket, removed("j", after_min=1))) == ["T1+e"]


def test_a_specialist_gets_no_more_than_their_capacity() -> None:
    """The second ticket waits until the first is answered, and is then assigned at once."""
    session = after(a_specialist("a"), a_ticket("T1"), a_ticket("T2"))
    assert announced(session) == ["T1+a"]
    session = after(
        a_specialist("a"), a_ticket("T1"), a_ticket("T2"), a_fact(TicketResponded, "T1")
    )
    assert announced(session) == ["T1+a", "T1-a", "T2+a"]


def test_the_earliest_due_goes_first() -> None:
    """Whatever came first: an hour for a super admin ends before a business day for a seat."""
    session = after(
        a_specialist("a"),
        a_ticket("T1"),
        a_ticket("T2", role="seat"),
        a_ticket("T3", after_min=1),
        a_fact(TicketResponded, "T1", after_min=2),
    )
    assert announced(session) == ["T1+a", "T1-a", "T3+a"]


def test_languages_share_one_order() -> None:
    """A specialist gets the earliest due ticket of all their languages."""
    both = a_specialist("b", languages=("de", "en"))
    late, early = a_ticket("T2", after_min=9), a_ticket("T3", language="de", after_min=5)
    session = after(both, a_ticket("T1"), late, early, a_fact(TicketResponded, "T1", after_min=9))
    assert announced(session)[-1] == "T3+b"


def test_a_reclassified_ticket_takes_its_new_place() -> None:
    """It does once sla-monitor publishes its new due time."""
    session = after(
        a_specialist("a"),
        a_ticket("T1"),
        a_ticket("T2"),
        a_ticket("T3", after_min=10),
        reclassified("T3", "business_critical", after_min=11),
        a_clock(ClockRepriced, "T3", due_min=40, target_s=1800, after_min=11),
        a_fact(TicketResponded, "T1", after_min=12),
    )
    assert announced(session)[-1] == "T3+a"
    assert assigned(session)[-1].due_at == NOON + minutes(40)
    assert assigned(session)[-1].severity == "business_critical"


def test_an_account_keeps_its_specialist() -> None:
    """It does while the specialist has room; another account goes to another specialist."""
    team = [a_specialist(f"s{number}", capacity={"email": 20}) for number in range(5)]
    tickets = [a_ticket(f"T{n}", account_id=f"account-{n % 4}") for n in range(20)]
    specialists: dict[str, set[str]] = {}
    for event in assigned(after(*team, *tickets)):
        specialists.setdefault(event.account_id, set()).add(event.specialist_id)
    assert {len(names) for names in specialists.values()} == {1}
    assert len(set[str]().union(*specialists.values())) > 1


def test_the_choice_depends_on_the_roster_not_on_its_order() -> None:
    """Routers that read the same roster in different orders choose the same specialist."""
    team = [a_specialist(f"s{number}") for number in range(5)]
    assert announced(after(*team, a_ticket("T1"))) == announced(
        after(*reversed(team), a_ticket("T1"))
    )


@pytest.mark.parametrize("presence", ["away", "offline"])
def test_an_absent_specialist_gets_no_new_ticket(presence: str) -> None:
    """They keep their ticket; a waiting one is assigned when they are online again."""
    there = a_specialist("a", capacity={"email": 2})
    left = a_specialist("a", capacity={"email": 2}, presence=presence, after_min=1)  # type: ignore[arg-type]
    back = a_specialist("a", capacity={"email": 2}, after_min=2)
    session = after(there, a_ticket("T1"), left, a_ticket("T2"))
    assert announced(session) == ["T1+a"]
    session.apply(back)
    assert announced(session) == ["T1+a", "T2+a"]


def test_a_ticket_waits_until_a_qualified_specialist_is_listed() -> None:
    """A new specialist gets the waiting tickets, the earliest due first, up to their capacity."""
    tickets = [a_ticket(f"T{n}", after_min=-n) for n in range(4)]
    session = after(*tickets)
    assert announced(session) == []
    session.apply(a_specialist("a", capacity={"email": 2}))
    assert announced(session) == ["T3+a", "T2+a"]


def test_more_capacity_takes_effect_at_once() -> None:
    """A lower capacity takes no ticket away."""
    tickets = (a_ticket(f"T{n}") for n in (1, 2, 3))
    session = after(a_specialist("a", capacity={"email": 2}), *tickets)
    session.apply(a_specialist("a", capacity={"email": 1}, after_min=1))
    session.apply(a_fact(TicketResponded, announced(session)[0][:2], after_min=2))
    assert len(assigned(session)) == 2
    session.apply(a_specialist("a", capacity={"email": 2}, after_min=3))
    assert len(assigned(session)) == 3


def test_an_older_roster_entry_changes_nothing() -> None:
    """The entry with the latest event time counts, whenever it arrives."""
    newer, older = a_specialist("a", presence="away", after_min=1), a_specialist("a")
    assert announced(after(newer, older, a_ticket("T1"))) == []
    assert announced(after(removed("a", after_min=1), a_specialist("a"), a_ticket("T1"))) == []


def test_the_tickets_of_a_removed_specialist_are_handed_back() -> None:
    """They keep their age."""
    session = after(a_specialist("a"), a_ticket("T1"), removed("a", after_min=1))
    assert announced(session) == ["T1+a", "T1<a"]
    session.apply(a_specialist("b", after_min=2))
    assert announced(session)[-1] == "T1+b"


@pytest.mark.parametrize(
    ("channel", "fact", "cause"),
    [
        ("email", TicketResponded, "responded"),
        ("email", TicketResolved, "resolved"),
        ("email", TicketClosed, "closed"),
        ("phone", TicketResponded, "responded"),
        ("phone", CustomerReached, "reached"),
        ("phone", TicketResolved, "resolved"),
        ("chat", TicketResolved, "resolved"),
        ("chat", TicketClosed, "closed"),
    ],
)
def test_the_end_of_work_frees_room(channel: Channel, fact: type[TicketFact], cause: str) -> None:
    """The fact that ends the work depends on the channel; the event has it as the cause."""
    end = a_fact(fact, "T1", after_min=1)
    session = after(a_specialist("a"), a_ticket("T1", channel=channel), end)
    assert announced(session) == ["T1+a", "T1-a"]
    released = session.state.announced[-1]
    assert isinstance(released.event, AssignmentReleased)
    assert released.event.cause == cause


@pytest.mark.parametrize(
    ("channel", "fact"),
    [("email", CustomerReached), ("email", CustomerReplied), ("chat", TicketResponded)],
)
def test_other_facts_free_no_room(channel: Channel, fact: type[TicketFact]) -> None:
    """A chat is held until it is closed; a phone call to an e-mail's customer does not end it."""
    session = after(a_specialist("a"), a_ticket("T1", channel=channel), a_fact(fact, "T1"))
    assert announced(session) == ["T1+a"]


def test_a_ticket_that_is_over_is_not_assigned() -> None:
    """Facts may arrive before their request."""
    session = after(a_specialist("a"), a_fact(TicketResponded, "T1", after_min=1), a_ticket("T1"))
    assert announced(session) == []
    assert not the_ticket(session).waits


def test_a_ticket_answered_elsewhere_leaves_the_queue() -> None:
    """It is not assigned afterwards."""
    session = after(a_ticket("T1"), a_fact(TicketResponded, "T1", after_min=1), a_specialist("a"))
    assert announced(session) == []


def test_a_reopened_ticket_is_assigned_again() -> None:
    """It goes to the account's specialist, as a second assignment with an id of its own."""
    end, again = a_fact(TicketClosed, "T1", after_min=1), a_fact(TicketReopened, "T1", after_min=2)
    due = a_clock(ClockResumed, "T1", due_min=61, after_min=2)
    session = after(a_specialist("a"), a_ticket("T1"), end, again, due, after_min=5)
    assert announced(session) == ["T1+a", "T1-a", "T1+a"]
    assert assigned(session)[-1].waited_ms == minutes(3) // timedelta(milliseconds=1)
    ids = [envelope.id for envelope in session.state.announced]
    assert len({*ids}) == len(ids) == 5


def test_a_late_reopening_before_the_end_changes_nothing() -> None:
    """Facts count in the order in which they happened."""
    end, before = a_fact(TicketClosed, "T1", after_min=2), a_fact(TicketReopened, "T1", after_min=1)
    assert announced(after(a_specialist("a"), a_ticket("T1"), end, before)) == ["T1+a", "T1-a"]


def test_the_latest_correction_of_the_severity_counts() -> None:
    """The order of arrival of corrections and request does not matter."""
    records = [
        a_ticket("T1"),
        reclassified("T1", "business_critical", after_min=1),
        reclassified("T1", "standard", after_min=2),
    ]
    orders = ([0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1])
    tickets = [the_ticket(after(*(records[i] for i in order))) for order in orders]
    assert {(t.severity, t.due_at) for t in tickets} == {("standard", NOON + minutes(60))}


def test_a_declined_ticket_goes_to_another_specialist() -> None:
    """At once; who declined it gets the next waiting ticket."""
    team = [a_specialist("a"), a_specialist("b")]
    session = after(*team, a_ticket("T1"))
    first = assigned(session)[0].specialist_id
    other = "b" if first == "a" else "a"
    execute(session, decline("T1", first), None)
    assert announced(session) == [f"T1+{first}", f"T1!{first}", f"T1+{other}"]
    session.apply(a_ticket("T2"))
    assert announced(session)[-1] == f"T2+{first}"


def test_a_declined_ticket_waits_for_the_others_with_its_age() -> None:
    """It does not return to who declined it while another may take it later."""
    both = [a_specialist("a"), a_specialist("b", presence="away")]
    session = after(*both, a_ticket("T1"), decline("T1", "a"), after_min=1)
    assert announced(session) == ["T1+a", "T1!a"]
    session.apply(a_ticket("T2", role="seat"))
    session.apply(a_specialist("b", after_min=2))
    assert announced(session)[-1] == "T1+b"


def test_a_declined_ticket_returns_to_the_only_qualified_specialist() -> None:
    """Otherwise it would stay unassigned."""
    session = after(a_specialist("a"), a_ticket("T1"), decline("T1", "a"))
    assert announced(session) == ["T1+a", "T1!a", "T1+a"]


def test_a_ticket_that_all_declined_is_assigned_again() -> None:
    """The exclusions end when every qualified specialist has declined."""
    team = [a_specialist("a"), a_specialist("b")]
    session = after(*team, a_ticket("T1"))
    for _ in range(2):
        execute(session, decline("T1", assigned(session)[-1].specialist_id), None)
    assert the_ticket(session).specialist_id is not None


def test_only_the_assigned_specialist_can_decline() -> None:
    """Others are refused, and so is an unknown ticket."""
    session = after(a_specialist("a"), a_ticket("T1"))
    with pytest.raises(NotTheirs):
        execute(session, decline("T1", "b"), None)
    with pytest.raises(Unknown):
        execute(session, decline("T2", "a"), None)


def test_waiting_is_measured_from_the_create_date() -> None:
    """It is never negative, even if the sender's clock is ahead."""
    session = after(a_specialist("a"), a_ticket("T1"), after_min=2)
    assert assigned(session)[0].waited_ms == 120_000
    session = after(a_specialist("a"), a_ticket("T1", after_min=3), after_min=2)
    assert assigned(session)[0].waited_ms == 0


def test_events_continue_the_trace_of_their_ticket() -> None:
    """The event that frees room has another trace; the waiting ticket keeps its own."""
    answer = a_fact(TicketResponded, "T1", after_min=1)
    session = after(
        a_specialist("a"),
        replace(a_ticket("T1"), traceparent="00-first"),
        replace(a_ticket("T2"), traceparent="00-second"),
        replace(answer, traceparent="00-answer"),
    )
    traces = [(type(one.event), one.traceparent) for one in session.state.announced]
    assert traces == [
        (TicketAssigned, "00-first"),
        (AssignmentExplained, "00-first"),
        (TicketQueued, "00-second"),
        (AssignmentExplained, "00-second"),
        (AssignmentReleased, "00-answer"),
        (TicketAssigned, "00-second"),
        (AssignmentExplained, "00-second"),
    ]


def test_ids_are_derived() -> None:
    """A repeated decision announces the same events with the same ids."""
    records: list[Record] = [
        a_specialist("a"),
        a_ticket("T1"),
        decline("T1", "a"),
        a_fact(TicketClosed, "T1"),
    ]
    first, second = (after(*records, after_min=n) for n in range(2))
    ids = [envelope.id for envelope in first.state.announced]
    assert ids == [envelope.id for envelope in second.state.announced]
    assert len(set(ids)) == len(ids) == 6
