"""The life of a ticket: how it stands by the set of its facts, whatever the order of arrival."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import (
    NAMESPACE,
    AssignmentResponded,
    CustomerReplied,
    Envelope,
    Event,
    TicketNoted,
    TicketWaiting,
    ticket_id_of,
)
from shared.sla.promises import CAUSES, Channel
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from shared.tickets import (
    AHEAD_MAX,
    FactKind,
    LifecycleFact,
    Status,
    TicketLife,
    fact_of,
    identity_of,
    kind_of,
    lifecycle,
)

TICKET = ticket_id_of("test", "t")
DAY_MIN = 24 * 60


def a(kind: FactKind, after_min: float, **more: object) -> LifecycleFact:
    """Make a fact that is dated so long after noon."""
    name = uuid5(NAMESPACE, f"{kind}{after_min}{more}")
    return LifecycleFact(kind, NOON + minutes(after_min), name, **more)  # type: ignore[arg-type]


def request(channel: Channel = "email", after_min: float = 0) -> LifecycleFact:
    """Make the request; a closed ticket is reopened within 30 days."""
    return a("accepted", after_min, channel=channel, reopen_within=timedelta(days=30))


def life(*facts: LifecycleFact, channel: Channel = "email") -> TicketLife:
    """Say how the ticket of a request at noon stands by further facts."""
    found = lifecycle([request(channel), *facts])
    assert found is not None
    return found


def test_a_ticket_begins_when_it_is_accepted() -> None:
    """Without its request, facts come to nothing; the request itself asks for an answer."""
    assert lifecycle([a("responded", 1), a("closed", 2)]) is None
    asked = life()
    assert (asked.status, asked.since, asked.owed_since) == ("open", NOON, NOON)
    assert asked.needs_specialist


@pytest.mark.parametrize("answer", ["responded", "reached", "resolved"])
def test_an_answer_is_owed_no_more_once_it_was_given(answer: FactKind) -> None:
    """Whatever answers the customer settles what was owed."""
    assert life(a(answer, 5)).owed_since is None


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (a("responded", 5), "answered"),
        (a("waiting", 5, waiting_for="customer"), "waiting"),
        (a("waiting", 5, waiting_for="vendor"), "waiting"),
        (a("resolved", 5), "resolved"),
        (a("closed", 5), "closed"),
        (a("merged", 5), "merged"),
        (a("erased", 5), "erased"),
    ],
)
def test_a_status_follows_from_the_last_that_happened(last: LifecycleFact, status: Status) -> None:
    """Each kind of fact leads to its status, since its instant."""
    assert (life(last).status, life(last).since) == (status, NOON + minutes(5))


@pytest.mark.parametrize("channel", ["email", "phone", "chat"])
@pytest.mark.parametrize(
    "state",
    [
        (a("responded", 5),),
        *((a("waiting", 5, waiting_for=cause),) for cause in CAUSES),
        (a("responded", 4), a("waiting", 5, waiting_for="customer")),
        (a("resolved", 5),),
        (a("closed", 5),),
        (a("resolved", 4), a("closed", 5)),
    ],
)
def test_a_reply_brings_a_ticket_back(channel: Channel, state: tuple[LifecycleFact, ...]) -> None:
    """Whatever its state, after the customer wrote it is open, owed, and has to have an owner."""
    again = life(*state, a("replied", 60), channel=channel)
    assert (again.status, again.needs_specialist) == ("open", True)
    unanswered = all(fact.kind in ("waiting", "closed") for fact in state)
    assert again.owed_since == (NOON if unanswered else NOON + minutes(60))


def test_the_first_of_several_words_is_owed_an_answer() -> None:
    """Who writes twice waits since the first time."""
    twice = life(a("responded", 5), a("replied", 60), a("replied", 90))
    assert twice.owed_since == NOON + minutes(60)


@pytest.mark.parametrize(("days", "status"), [(30, "open"), (30.001, "closed"), (31, "closed")])
def test_a_closed_ticket_is_reopened_within_the_policys_limit(days: float, status: Status) -> None:
    """A reply that comes later changes nothing."""
    closed = life(a("responded", 5), a("closed", 10))
    reply = a("replied", 10 + days * DAY_MIN)
    assert closed.reopens_until == NOON + minutes(10) + timedelta(days=30)
    assert closed.accepts_reply(reply.at) == (status == "open")
    assert life(a("responded", 5), a("closed", 10), reply).status == status


def test_the_limit_runs_from_the_closing_that_stands() -> None:
    """Closed again without being reopened is closed since the first time."""
    twice = life(a("closed", 10), a("closed", 20))
    assert twice.since == NOON + minutes(10)
    again = life(a("closed", 10), a("reopened", 15), a("closed", 20))
    assert again.since == NOON + minutes(20)


def test_what_was_closed_unanswered_is_owed_again_when_it_is_reopened() -> None:
    """A closing answers nobody: it only suspends what is owed."""
    assert life(a("closed", 10)).owed_since is None
    assert life(a("closed", 10), a("reopened", 20)).owed_since == NOON


@pytest.mark.parametrize("end", ["merged", "erased"])
def test_nothing_counts_after_the_end(end: FactKind) -> None:
    """A reply to a merged or erased ticket does not bring that one back."""
    over = life(a(end, 5), a("replied", 10), a("reopened", 20))
    assert (over.status, over.owed_since, over.needs_specialist) == (end, None, False)
    assert not over.accepts_reply(NOON + minutes(10))


def test_an_erasure_is_the_last_word() -> None:
    """Also of a ticket that was merged before."""
    assert life(a("merged", 5), a("erased", 10)).status == "erased"


@pytest.mark.parametrize(
    ("channel", "releasing"),
    [
        ("email", {"responded", "resolved", "closed"}),
        ("phone", {"responded", "reached", "resolved", "closed"}),
        ("chat", {"resolved", "closed"}),
    ],
)
def test_what_ends_a_specialists_work_depends_on_the_channel(
    channel: Channel, releasing: set[FactKind]
) -> None:
    """An answered email leaves the load, a chat stays until it is over."""
    kinds: set[FactKind] = {"responded", "reached", "resolved", "closed", "waiting", "resumed"}
    freed = {kind for kind in kinds if not life(a(kind, 5), channel=channel).needs_specialist}
    assert freed == releasing


@pytest.mark.parametrize("state", ["responded", "resolved", "closed"])
def test_a_duplicate_that_waits_for_an_answer_brings_its_target_back(state: FactKind) -> None:
    """Its customer's word is owed an answer on the target, since it was said."""
    waits = NOON - minutes(30)
    again = life(a(state, 5), a("absorbed", 10, owed_since=waits, reopens=True))
    assert (again.status, again.needs_specialist) == ("open", True)
    assert again.owed_since == waits


def test_a_duplicate_that_was_answered_reopens_what_is_over_and_is_owed_no_answer() -> None:
    """There is work again, but the customer has had the last answer."""
    again = life(a("resolved", 5), a("absorbed", 10, reopens=True))
    assert (again.status, again.owed_since, again.needs_specialist) == ("open", None, True)
    assert life(a("responded", 5), a("absorbed", 10, reopens=True)).status == "answered"
    assert life(a("resolved", 5), a("absorbed", 10)).status == "resolved"


def test_what_is_dated_just_before_the_request_is_at_its_instant() -> None:
    """Clocks of two systems differ by up to a quarter of an hour: the answer still counts."""
    assert life(a("responded", -15)).status == "answered"
    assert life(a("responded", -15)).since == NOON


def test_what_is_dated_long_before_the_request_answers_nothing_of_it() -> None:
    """The customer asked after it, and waits."""
    early = -15.01
    assert early < -AHEAD_MAX / minutes(1)
    for kind in ("responded", "resolved", "closed", "merged"):
        assert life(a(kind, early)).status == "open"
    assert life(a("erased", early)).status == "erased"
    assert life(a("absorbed", -60, owed_since=NOON - minutes(90))).owed_since == NOON - minutes(90)


def test_the_set_of_facts_decides_whatever_their_order_and_number() -> None:
    """Every order of arrival, and every copy, comes to the same."""
    facts = [
        request(),
        a("responded", 5),
        a("closed", 10),
        a("replied", 20),
        a("waiting", 25, waiting_for="vendor"),
    ]
    found = {lifecycle([*order, order[0]]) for order in permutations(facts)}
    assert len(found) == 1


def test_the_same_said_under_two_ids_is_one_fact() -> None:
    """Equal in type, instant and content: one. Another instant, or content: another."""
    first = a_fact(CustomerReplied, "t", after_min=9)
    copy = Envelope(UUID(int=7), "other-door", first.time, first.event)
    assert fact_of(first) == fact_of(copy)
    assert fact_of(first) != fact_of(a_fact(CustomerReplied, "t", after_min=10))
    waits = {identity_of(wrap(TicketWaiting(ticket_id=TICKET, waiting_for=c))) for c in CAUSES}
    assert len(waits) == len(CAUSES)


def test_what_our_own_services_say_keeps_its_id() -> None:
    """Their ids are derived from the cause: a copy has the same."""
    ours = wrap(AssignmentResponded(ticket_id=TICKET, specialist_id="ana"))
    assert identity_of(ours) == ours.id
    assert kind_of(ours.event) == "responded"


def test_a_request_says_what_its_life_goes_by() -> None:
    """Its channel, and for how long a reply reopens it: 30 days, where a policy says nothing."""
    fact = fact_of(a_ticket("t", channel="chat"))
    assert (fact.kind, fact.channel) == ("accepted", "chat")
    assert fact.reopen_within == timedelta(days=30)
    assert kind_of(TicketNoted(ticket_id=TICKET)) == "other"


def wrap(event: Event) -> Envelope[Event]:
    """Wrap an event of noon."""
    return Envelope(UUID(int=1), "intake", NOON, event)


_KINDS: list[FactKind] = [
    *("responded", "reached", "replied", "waiting", "resumed", "resolved"),
    *("reopened", "closed", "merged", "absorbed", "erased", "other"),
]


@given(st.lists(st.tuples(st.sampled_from(_KINDS), st.integers(-30, 90)), max_size=8))
def test_nothing_a_customer_says_is_without_an_owner(said: list[tuple[FactKind, int]]) -> None:
    """While an answer is owed, the ticket is not over; a ticket that nobody need own owes none."""
    found = life(*(made(kind, at) for kind, at in said), channel="email")
    assert found.since >= NOON
    if found.owed_since is not None:
        assert found.needs_specialist
        assert found.status in ("open", "waiting")
    if found.status == "answered":
        assert found.owed_since is None


def made(kind: FactKind, after_min: int) -> LifecycleFact:
    """Make a fact of a kind with what goes with it."""
    match kind:
        case "waiting":
            return a(kind, after_min, waiting_for="vendor")
        case "absorbed":
            return a(kind, after_min, owed_since=at(after_min - 9), reopens=True)
        case _:
            return a(kind, after_min)


def at(after_min: int) -> datetime:
    """Name an instant."""
    return NOON + minutes(after_min)
