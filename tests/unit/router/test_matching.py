"""The matching rules, one in each test: who may take a ticket, who gets it, and why."""

from collections import Counter
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.assignment.session import AssignmentSession
from router.domain.matching import FULL_MAX, MatchingRequest, MatchingRules, default_rules, redecide
from router.domain.matching.counterfactual import apply_change
from router.domain.matching.ranking import evaluate, rank_candidates
from router.domain.matching.rules import SkillRule
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
    a_fact,
    a_specialist,
    a_ticket,
    minutes,
    promised,
    reclassified,
    removed,
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
    """Apply records to an empty session, some minutes after noon."""
    session = AssignmentSession(Roster([], rules), [], NOON + minutes(after_min), DIRECTLY)
    session.state.affinities |= known
    for record in records:
        session.apply(record)
    return session


def later(session: AssignmentSession, after_min: float) -> AssignmentSession:
    """Let time pass without any event."""
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + minutes(after_min), DIRECTLY
    )
    then.dispatcher.add_waiting(
        session.state.tickets.values(), dict.fromkeys(session.state.roster.pools, 1_000)
    )
    then.wake({})
    return then


def assigned_to(session: AssignmentSession) -> list[str]:
    """Return the specialists who got a ticket."""
    events = [envelope.event for envelope in session.state.announced]
    return [event.specialist_id for event in events if isinstance(event, TicketAssigned)]


def records(session: AssignmentSession) -> list[AssignmentExplained]:
    """Return the decision records as they are read from Kafka."""
    events = [envelope.event.model_dump_json() for envelope in session.state.decisions]
    return [AssignmentExplained.model_validate_json(event) for event in events]


@pytest.mark.parametrize(("number", "rule"), [*enumerate(RULES)])
def test_the_first_failed_rule_is_recorded(number: int, rule: str) -> None:
    """Further failed rules do not matter; without the fault the candidate is able."""
    weights = default_rules().weights
    faults: dict[str, Any] = {}
    for fault in reversed(FAULTS[number:]):
        faults |= fault
    assert evaluate(ABLE.model_copy(update=faults), WANTED, weights).failed == rule
    assert evaluate(ABLE, WANTED, weights).failed is None


def test_a_language_is_needed_at_a_level() -> None:
    """A specialist with a lower level has to wait for the step that allows it."""
    weak = a_specialist("w", languages=("de",), levels={"de": 2})
    strong = a_specialist("s", languages=("de",), levels={"de": 3}, presence="away")
    session = after(weak, strong, a_ticket("T1", language="de"))
    assert assigned_to(session) == []
    assert records(session)[0].again_at == NOON + minutes(18)
    assert assigned_to(later(session, 17)) == []
    assert assigned_to(later(session, 18)) == ["w"]


def test_english_is_enough_once_half_the_time_is_left() -> None:
    """The event has `english_instead`; speakers of the language with room are preferred."""
    speaker = a_specialist("j", languages=("ja",), presence="away")
    session = after(speaker, a_specialist("e"), a_ticket("T1", language="ja"))
    assert assigned_to(later(session, 29)) == []
    helped = later(session, 30)
    assert assigned_to(helped) == ["e"]
    assert helped.state.announced[0].event.english_instead  # type: ignore[attr-defined]
    assert records(helped)[0].decided_by == "only"


def test_any_certified_specialist_is_enough_in_the_end() -> None:
    """They can ask a colleague, which is better than no answer."""
    french = a_specialist("f", languages=("fr",))
    other = a_specialist("x", languages=("fr",), certified=False)
    session = after(french, other, a_ticket("T1", language="ja"))
    assert assigned_to(later(session, 47)) == []
    assert assigned_to(later(session, 48)) == ["f"]


def test_less_relaxation_is_better() -> None:
    """Even if the candidate who needs more relaxation has the lower score."""
    scarce = a_specialist("j", languages=("ja", "de"), capacity={"email": 9, "chat": 9})
    plain = a_specialist("e", capacity={"email": 9})
    session = after(scarce, plain, a_ticket("T1", language="ja"), after_min=40)
    assert assigned_to(session) == ["j"]
    assert records(session)[0].decided_by == "step"


def test_a_ticket_that_needs_a_skill_goes_only_to_those_who_have_it() -> None:
    """Which tickets need a skill is data."""
    needs = SkillRule(needs=("crm",), severity="business_critical")
    rules = default_rules().model_copy(update={"skills": (needs,)})
    team = (a_specialist("a", skills=("crm",)), a_specialist("b", capacity={"email": 9}))
    critical = [a_ticket(f"T{n}", severity="business_critical") for n in (1, 2)]
    session = after(*team, *critical, a_ticket("T3"), rules=rules)
    assert assigned_to(session) == ["a", "b"]
    failed = {one.specialist_id: one.failed for one in records(session)[1].candidates}
    assert failed == {"a": "room", "b": "skill"}


def test_specialists_with_scarce_abilities_are_spared() -> None:
    """The only speaker of Japanese gets English tickets last, even without any load."""
    team = (a_specialist("j", languages=("ja", "en")), a_specialist("e", capacity={"email": 3}))
    session = after(*team, *(a_ticket(f"T{n}") for n in (1, 2, 3)), a_ticket("T4", language="ja"))
    assert assigned_to(session) == ["e", "e", "e", "j"]


def test_load_is_spread() -> None:
    """It is compared as a share of each capacity."""
    team = (a_specialist("a", capacity={"email": 2}), a_specialist("b", capacity={"email": 4}))
    tickets = [a_ticket(f"T{n}", account_id=f"x{n}") for n in range(5)]
    assert assigned_to(after(*team, *tickets)) == ["a", "b", "b", "a", "b"]


@pytest.mark.parametrize(("days", "who"), [(1, "b"), (14, "b"), (15, "a")])
def test_affinity_lasts_for_some_days(days: int, who: str) -> None:
    """After that, the former specialist has no advantage."""
    team = (a_specialist("a", capacity={"email": 2}), a_specialist("b", capacity={"email": 2}))
    known = AccountAffinity("b", NOON - timedelta(days=days))
    assert assigned_to(after(*team, a_ticket("T1"), northwind=known)) == [who]


def test_affinity_outweighs_half_of_the_load() -> None:
    """It is worth as much as half of a specialist's capacity, and no more."""
    team = [a_specialist(name, capacity={"email": 10}) for name in ("a", "b")]
    assert assigned_to(after(*team, *(a_ticket(f"T{n}") for n in range(7))))[4:] == ["a", "b", "b"]


def test_among_equals_the_longest_without_a_ticket_is_next() -> None:
    """Otherwise the first by id would get all tickets while the load is low."""
    session = after(a_specialist("a"), a_specialist("b"), a_ticket("T1", account_id="x"))
    session.apply(a_fact(TicketResponded, "T1", after_min=1))
    session.apply(a_ticket("T2", account_id="y", after_min=2))
    assert assigned_to(session) == ["a", "b"]
    assert [record.decided_by for record in records(session)] == ["id", "idle_longest"]


specialists = st.builds(
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
mornings = st.tuples(st.lists(specialists, max_size=60), st.lists(tickets, max_size=12))


@given(mornings, st.integers(0, 70))
def test_a_record_counts_all_specialists_and_names_the_best(
    morning: tuple[list[Envelope[Event]], list[Envelope[Event]]], after_min: int
) -> None:
    """Even in a large roster, the choice is the same as after evaluating every specialist."""
    team, coming = morning
    session = after(*team, after_min=after_min, rules=NEEDS_CRM)
    for ticket in {one.id: one for one in coming}.values():
        known = session.state.affinities.get(ticket.event.account_id)  # type: ignore[attr-defined]
        before = {name: one.copy() for name, one in session.state.roster.specialists.items()}
        recorded = len(session.state.decisions)
        crowd = Roster(before.values(), NEEDS_CRM)
        session.apply(ticket)
        for record in records(session)[recorded:]:
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
def test_the_smallest_change_changes_the_outcome(
    morning: tuple[list[Envelope[Event]], list[Envelope[Event]]], after_min: int
) -> None:
    """Applied to the record, it leads to the specialist that the record names."""
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


def test_english_is_enough_once_no_speaker_is_listed() -> None:
    """A need that no listed specialist can meet is skipped, but the last step still has to wait."""
    away = a_specialist("j", languages=("ja",), presence="away")
    session = after(away, a_specialist("f", languages=("fr",)), a_ticket("T1", language="ja"))
    session.apply(removed("j", after_min=1))
    assert assigned_to(session) == []
    session.apply(a_specialist("e", after_min=2))
    assert assigned_to(session) == ["e"]


def test_a_ticket_that_comes_to_need_a_skill_waits_for_it() -> None:
    """Although its due time is the same, and it could be taken without the skill before."""
    needs = SkillRule(needs=("crm",), severity="business_critical")
    rules = default_rules().model_copy(update={"skills": (needs,)})
    session = after(a_specialist("plain"), a_ticket("T0"), rules=rules)
    session.apply(a_ticket("T1", otherwise=promised(NOON)))
    session.apply(reclassified("T1", "business_critical", after_min=1))
    session.apply(a_fact(TicketResponded, "T0", after_min=2))
    assert assigned_to(session) == ["plain"]
    session.apply(a_specialist("able", skills=("crm",)))
    assert assigned_to(session) == ["plain", "able"]


def test_a_ticket_without_a_pool_is_placed_by_the_sweep() -> None:
    """An older router saves it without a pool, and with a timer that is due at once."""
    session = after(a_specialist("a", presence="away"), a_ticket("T1"))
    (ticket,) = session.state.tickets.values()
    ticket.pool = ticket.rank_at = None
    ticket.again_at = NOON
    session.state.roster.commit()
    then = AssignmentSession(session.state.roster, [ticket], NOON, DIRECTLY)
    then.wake({})
    then.dispatcher.add_waiting([ticket], dict.fromkeys(then.state.roster.pools, 9))
    then.apply(a_specialist("a", after_min=1))
    assert assigned_to(then) == ["a"]
