"""The rules of matching, one a test: who may take a ticket, who of them gets it, and why."""

from collections import Counter
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.assignment.session import AssignmentSession
from router.domain.matching import FULL_MAX, MatchingRequest, MatchingRules, default_rules, redecide
from router.domain.matching.counterfactual import apply_change
from router.domain.matching.rules import SkillRule
from router.domain.matching.scoring import evaluate, rank_candidates
from router.domain.matching_request import AccountAffinity
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import (
    RULES,
    AssignmentExplained,
    Candidate,
    Envelope,
    Event,
    Need,
    TicketAssigned,
    TicketResponded,
    Wanted,
)
from shared.testing.builders import (
    NOON,
    a_specialist,
    a_ticket,
    gone,
    minutes,
    promised,
    reclassified,
    told,
)

DIRECTLY: Final = OfferRules(rings={})
ABLE: Final = Candidate(specialist_id="a", capacity=2, load=1, levels={"de": 4}, skills=("crm",))
WANTED: Final = Wanted(
    account_id="northwind",
    channel="email",
    language="de",
    promise_class="guarantee",
    due_at=NOON,
    rank_at=NOON,
    needs=(Need(language="de", level=4, skills=("crm",)),),
    pinned_to="a",
)
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"capacity": 0},
    {"certified": False},
    {"levels": {"de": 3}},
    {"skills": ()},
    {"presence": "away"},
    {"on_shift": False},
    {"load": 2},
    {"set_aside": True},
    {"specialist_id": "b"},
)


def after(
    *records: Envelope[Event],
    after_min: float = 0,
    rules: MatchingRules | None = None,
    **known: AccountAffinity,
) -> AssignmentSession:
    """Apply records to an empty session, so long after noon."""
    session = AssignmentSession(Roster([], rules), [], NOON + minutes(after_min), DIRECTLY)
    session.state.affinities |= known
    for record in records:
        session.apply(record)
    return session


def later(session: AssignmentSession, after_min: float) -> AssignmentSession:
    """Let time pass, and only time."""
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + minutes(after_min), DIRECTLY
    )
    then.dispatcher.add_waiting(
        session.state.tickets.values(), dict.fromkeys(session.state.roster.pools, 1_000)
    )
    then.wake({})
    return then


def given_to(session: AssignmentSession) -> list[str]:
    """Read who got a ticket."""
    events = [envelope.event for envelope in session.state.announced]
    return [event.specialist_id for event in events if isinstance(event, TicketAssigned)]


def records(session: AssignmentSession) -> list[AssignmentExplained]:
    """Read the records, as they come out of Kafka."""
    events = [envelope.event.model_dump_json() for envelope in session.state.decisions]
    return [AssignmentExplained.model_validate_json(event) for event in events]


@pytest.mark.parametrize(("number", "rule"), [*enumerate(RULES)])
def test_the_first_rule_that_fails_is_told(number: int, rule: str) -> None:
    """Whatever else fails after it; and without it, somebody is able."""
    weights = default_rules().weights
    faults: dict[str, Any] = {}
    for fault in reversed(FAULTS[number:]):
        faults |= fault
    assert evaluate(ABLE.model_copy(update=faults), WANTED, weights).failed == rule
    assert evaluate(ABLE, WANTED, weights).failed is None


def test_a_language_is_needed_at_a_level() -> None:
    """Who speaks it less well has to wait for the step that says so."""
    weak = a_specialist("w", languages=("de",), levels={"de": 2})
    strong = a_specialist("s", languages=("de",), levels={"de": 3}, presence="away")
    session = after(weak, strong, a_ticket("T1", language="de"))
    assert given_to(session) == []
    assert records(session)[0].again_at == NOON + minutes(18)
    assert given_to(later(session, 17)) == []
    assert given_to(later(session, 18)) == ["w"]


def test_english_helps_out_once_half_the_time_is_left() -> None:
    """The fact says so, and who speaks the language is preferred while they have room."""
    speaker = a_specialist("j", languages=("ja",), presence="away")
    session = after(speaker, a_specialist("e"), a_ticket("T1", language="ja"))
    assert given_to(later(session, 29)) == []
    helped = later(session, 30)
    assert given_to(helped) == ["e"]
    assert helped.state.announced[0].event.english_instead  # type: ignore[attr-defined]
    assert records(helped)[0].decided_by == "only"


def test_anybody_certified_helps_out_in_the_end() -> None:
    """Better somebody who can ask a colleague than nobody."""
    french = a_specialist("f", languages=("fr",))
    other = a_specialist("x", languages=("fr",), certified=False)
    session = after(french, other, a_ticket("T1", language="ja"))
    assert given_to(later(session, 47)) == []
    assert given_to(later(session, 48)) == ["f"]


def test_less_relaxation_is_better() -> None:
    """Though the score of who needs more is lower."""
    scarce = a_specialist("j", languages=("ja", "de"), capacity={"email": 9, "chat": 9})
    plain = a_specialist("e", capacity={"email": 9})
    session = after(scarce, plain, a_ticket("T1", language="ja"), after_min=40)
    assert given_to(session) == ["j"]
    assert records(session)[0].decided_by == "step"


def test_who_lacks_a_skill_gets_nothing_that_needs_it() -> None:
    """Which tickets need one is data."""
    needs = SkillRule(needs=("crm",), severity="business_critical")
    rules = default_rules().model_copy(update={"skills": (needs,)})
    team = (a_specialist("a", skills=("crm",)), a_specialist("b", capacity={"email": 9}))
    critical = [a_ticket(f"T{n}", severity="business_critical") for n in (1, 2)]
    session = after(*team, *critical, a_ticket("T3"), rules=rules)
    assert given_to(session) == ["a", "b"]
    failed = {one.specialist_id: one.failed for one in records(session)[1].candidates}
    assert failed == {"a": "room", "b": "skill"}


def test_scarce_people_are_kept_for_what_only_they_can_do() -> None:
    """The only one who speaks Japanese gets English last, though they hold nothing."""
    team = (a_specialist("j", languages=("ja", "en")), a_specialist("e", capacity={"email": 3}))
    session = after(*team, *(a_ticket(f"T{n}") for n in (1, 2, 3)), a_ticket("T4", language="ja"))
    assert given_to(session) == ["e", "e", "e", "j"]


def test_load_is_spread() -> None:
    """By the share of what each can hold."""
    team = (a_specialist("a", capacity={"email": 2}), a_specialist("b", capacity={"email": 4}))
    tickets = [a_ticket(f"T{n}", account_id=f"x{n}") for n in range(5)]
    assert given_to(after(*team, *tickets)) == ["a", "b", "b", "a", "b"]


@pytest.mark.parametrize(("days", "who"), [(1, "b"), (14, "b"), (15, "a")])
def test_who_had_the_account_last_gets_it_for_some_days(days: int, who: str) -> None:
    """Then it is as if they had not."""
    team = (a_specialist("a", capacity={"email": 2}), a_specialist("b", capacity={"email": 2}))
    known = AccountAffinity("b", NOON - timedelta(days=days))
    assert given_to(after(*team, a_ticket("T1"), northwind=known)) == [who]


def test_an_account_is_known_up_to_a_share_of_load() -> None:
    """To know it is worth half of what somebody can hold, and no more."""
    team = [a_specialist(name, capacity={"email": 10}) for name in ("a", "b")]
    assert given_to(after(*team, *(a_ticket(f"T{n}") for n in range(7))))[4:] == ["a", "b", "b"]


def test_of_equals_who_waited_longest_is_next() -> None:
    """Whoever was first by id would get all otherwise, as long as little happens."""
    session = after(a_specialist("a"), a_specialist("b"), a_ticket("T1", account_id="x"))
    session.apply(told(TicketResponded, "T1", after_min=1))
    session.apply(a_ticket("T2", account_id="y", after_min=2))
    assert given_to(session) == ["a", "b"]
    assert [record.decided_by for record in records(session)] == ["id", "idle_longest"]


people = st.builds(
    a_specialist,
    st.integers(0, 60).map("s{:02}".format),
    languages=st.sampled_from([("en",), ("de",), ("de", "en"), ("ja", "en"), ("fr-CA",)]),
    levels=st.just({}),
    capacity=st.sampled_from([{"email": 1}, {"email": 3, "chat": 1}, {"chat": 2}]),
    presence=st.sampled_from(["online", "online", "away"]),
    certified=st.sampled_from([True, True, True, False]),
    universal=st.sampled_from([None, None, {"capacity": 4, "weights": {"chat": 3}}]),
    skills=st.sampled_from([(), (), ("crm",)]),
)
tickets = st.builds(
    a_ticket,
    st.integers(0, 99).map("T{}".format),
    channel=st.sampled_from(["email", "chat"]),
    language=st.sampled_from(["en", "de", "ja", "ko"]),
    account_id=st.sampled_from(["x", "y", "z"]),
    severity=st.sampled_from(["standard", "business_critical"]),
    role=st.sampled_from(["super_admin", "seat"]),
)
NEEDS_CRM: Final = default_rules().model_copy(
    update={"skills": (SkillRule(needs=("crm",), severity="business_critical"),)}
)
mornings = st.tuples(st.lists(people, max_size=60), st.lists(tickets, max_size=12))


@given(mornings, st.integers(0, 70))
def test_a_record_counts_everybody_and_finds_the_best(
    morning: tuple[list[Envelope[Event]], list[Envelope[Event]]], after_min: int
) -> None:
    """Of a large pool, too: the choice is what judging each person on the roster comes to."""
    team, coming = morning
    session = after(*team, after_min=after_min, rules=NEEDS_CRM)
    for ticket in {one.id: one for one in coming}.values():
        known = session.state.affinities.get(ticket.event.account_id)  # type: ignore[attr-defined]
        before = {name: one.copy() for name, one in session.state.roster.specialists.items()}
        told_before = len(session.state.decisions)
        crowd = Roster(before.values(), NEEDS_CRM)
        session.apply(ticket)
        for record in records(session)[told_before:]:
            matching_request = MatchingRequest(
                record.ticket_id, record.wanted, (), known and known[0], None
            )
            specialists = (crowd.candidate(name, matching_request) for name in before)
            verdicts = [evaluate(one, record.wanted, record.weights) for one in specialists]
            best = next(iter(rank_candidates(verdicts)), None)
            assert record.specialist_id == (best and best.specialist_id)
            assert redecide(record.wanted, record.weights, record.candidates) == (
                record.specialist_id
            )
            in_full = Counter(one.failed or "able" for one in record.candidates)
            assert in_full + Counter(record.others) == Counter(
                one.failed or "able" for one in verdicts
            )
            assert len(record.candidates) <= FULL_MAX


@given(mornings, st.integers(0, 70))
def test_the_smallest_change_would_have_changed_the_outcome(
    morning: tuple[list[Envelope[Event]], list[Envelope[Event]]], after_min: int
) -> None:
    """Made so in the record, it leads to whom the record says instead."""
    team, coming = morning
    for record in records(after(*team, *coming, after_min=after_min, rules=NEEDS_CRM)):
        change = record.smallest_change
        if record.specialist_id is not None:
            assert change is not None
        if change is not None:
            otherwise = [
                apply_change(one, change, record.wanted.needs)
                if one.specialist_id == change.specialist_id
                else one
                for one in record.candidates
            ]
            instead = redecide(record.wanted, record.weights, otherwise)
            assert instead == change.instead != record.specialist_id


def test_when_the_last_speaker_leaves_english_helps_at_once() -> None:
    """What nobody on the roster can ever meet is not waited for, but not by anybody either."""
    away = a_specialist("j", languages=("ja",), presence="away")
    session = after(away, a_specialist("f", languages=("fr",)), a_ticket("T1", language="ja"))
    session.apply(gone("j", after_min=1))
    assert given_to(session) == []
    session.apply(a_specialist("e", after_min=2))
    assert given_to(session) == ["e"]


def test_a_ticket_that_needs_a_skill_now_waits_for_who_has_it() -> None:
    """Though it was due at the same time before, and stood where anybody could take it."""
    needs = SkillRule(needs=("crm",), severity="business_critical")
    rules = default_rules().model_copy(update={"skills": (needs,)})
    session = after(a_specialist("plain"), a_ticket("T0"), rules=rules)
    session.apply(a_ticket("T1", otherwise=promised(NOON)))
    session.apply(reclassified("T1", "business_critical", after_min=1))
    session.apply(told(TicketResponded, "T0", after_min=2))
    assert given_to(session) == ["plain"]
    session.apply(a_specialist("able", skills=("crm",)))
    assert given_to(session) == ["plain", "able"]


def test_a_ticket_of_before_is_placed_by_the_sweep() -> None:
    """An older router writes it without a pool or a place, and due to be tried at once."""
    session = after(a_specialist("a", presence="away"), a_ticket("T1"))
    (ticket,) = session.state.tickets.values()
    ticket.pool = ticket.rank_at = None
    ticket.again_at = NOON
    session.state.roster.commit()
    then = AssignmentSession(session.state.roster, [ticket], NOON, DIRECTLY)
    then.wake({})
    then.dispatcher.add_waiting([ticket], dict.fromkeys(then.state.roster.pools, 9))
    then.apply(a_specialist("a", after_min=1))
    assert given_to(then) == ["a"]
