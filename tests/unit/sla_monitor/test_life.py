"""What a ticket's life means for its clocks: brought back, merged, said twice, reclassified."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest

from shared.events import (
    CustomerReplied,
    Envelope,
    Event,
    PromiseRetracted,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketFact,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketWaiting,
    ticket_id_of,
)
from shared.sla.promises import CAUSES, Cause, Promise, PromiseKind, Severity
from shared.testing.builders import NOON, a_fact, a_ticket, minutes, promised, reclassified
from sla_monitor.domain import Announced, Clock, Fact, Key, derive, fall_due, fold, withdraw

TICKET = ticket_id_of("test", "t")
DAY_MIN = 24 * 60


def promises(target_min: int, *kinds: PromiseKind) -> tuple[Promise, ...]:
    """Promise these kinds, around the clock."""
    (like,) = promised(NOON)
    timed = {"target_s": target_min * 60, "due_at": None}
    return tuple(like.model_copy(update={**timed, "kind": kind}) for kind in kinds)


ALL: tuple[PromiseKind, ...] = ("first_response", "next_response", "resolution")


def request(*, standard_min: int = 60, critical_min: int = 30) -> Fact:
    """Ask at noon; all kinds are promised, within so many minutes by severity."""
    envelope = a_ticket("t")
    assert isinstance(envelope.event, TicketAccepted)
    priced = {
        "promises": promises(standard_min, *ALL),
        "if_reclassified": {"business_critical": promises(critical_min, *ALL)},
    }
    event = envelope.event.model_copy(update=priced)
    return Envelope(envelope.id, "intake", envelope.time, event)


def said(event: type[TicketFact], after_min: float) -> Fact:
    """Tell what needs no more than the ticket."""
    return a_fact(event, "t", after_min=after_min)


def waits(after_min: float, whom: Cause) -> Fact:
    """Wait for somebody outside."""
    return dated(TicketWaiting(ticket_id=TICKET, waiting_for=whom), after_min)


def absorbed(after_min: float, created_min: float, owed_min: float | None = None) -> Fact:
    """Merge a duplicate in, whose customer waits since ``owed_min``."""
    event = TicketAbsorbed(
        ticket_id=TICKET,
        absorbed=ticket_id_of("test", "duplicate"),
        create_date=NOON + minutes(created_min),
        owed_since=None if owed_min is None else NOON + minutes(owed_min),
        reopens=True,
    )
    return dated(event, after_min)


def dated(event: Event, after_min: float) -> Fact:
    """Wrap an event that happened so long after noon."""
    return Envelope(
        UUID(int=int(after_min * 60) + 10**6), "intake", NOON + minutes(after_min), event
    )


def clocks(*facts: Fact) -> dict[str, list[Clock]]:
    """Say what the facts come to, by the kind of the promise."""
    found: dict[str, list[Clock]] = {kind: [] for kind in ALL}
    for clock in derive([request(), *facts]):
        found[clock.kind].append(clock)
    return found


def one(kind: PromiseKind, *facts: Fact) -> Clock:
    """Find the only clock of a kind."""
    (clock,) = clocks(*facts)[kind]
    return clock


def announced(learned: Iterable[tuple[float, Fact]], *, until_min: float) -> list[str]:
    """Fold facts as they are learned, let time pass, and name what is announced."""
    kept: dict[Key, Clock] = {}
    facts: list[Fact] = []
    heard: list[Announced] = []
    for at_min, fact in [*learned, (until_min, None)]:
        now = NOON + minutes(at_min)
        for key in list(kept):
            while (due := kept[key].next_at()) is not None and due <= now:
                kept[key], news, _ = fall_due(kept[key], now=due)
                heard += news
        if fact is None:
            break
        facts.append(fact)
        truths = {truth.key: truth for truth in derive(facts)}
        for key, clock in list(kept.items()):
            if key not in truths:
                kept[key], news, _ = withdraw(clock, fact)
                heard += news
        for key, truth in truths.items():
            kept[key], news, _ = fold(kept.get(key), truth, fact, now=now)
            heard += news
    return [f"{a.event.kind} {a.event.type.split('.', 1)[1].removesuffix('.v1')}" for a in heard]


@pytest.mark.parametrize("over", [TicketResolved, TicketClosed])
def test_a_reply_to_what_is_over_lets_its_clocks_run_on(over: type[TicketFact]) -> None:
    """The solution is owed again without the time it was over, and the reply asks for an answer."""
    facts = (said(TicketResponded, 5), said(over, 20), said(CustomerReplied, 50))
    solution = one("resolution", *facts)
    assert (solution.state, solution.due_at) == ("running", NOON + minutes(90))
    following = one("next_response", *facts)
    assert (following.state, following.started_at) == ("running", NOON + minutes(50))


def test_a_reply_long_after_the_closing_starts_nothing() -> None:
    """After the policy's limit the ticket stays closed."""
    late = said(CustomerReplied, 20 + 30 * DAY_MIN + 1)
    facts = (said(TicketResponded, 5), said(TicketClosed, 20), late)
    assert one("resolution", *facts).state == "cancelled"
    assert clocks(*facts)["next_response"] == []


@pytest.mark.parametrize("whom", CAUSES)
def test_a_reply_ends_a_wait_for_anybody(whom: Cause) -> None:
    """The ticket is open again, and due."""
    clock = one("first_response", waits(10, whom), said(CustomerReplied, 25))
    assert clock.due_at == NOON + minutes(75)


@pytest.mark.parametrize("early_min", [-1440, -15.1, -15, -1, 0])
def test_a_clock_never_settles_before_it_starts(early_min: float) -> None:
    """What is dated a little before the request answers it at once; what is older does not."""
    clock = one("first_response", said(TicketResponded, early_min))
    settled = NOON if early_min >= -15 else None
    assert clock.settled_at == settled


def test_a_reply_said_twice_is_due_once() -> None:
    """A copy under another event id, learned after the miss, brings no second miss."""
    reply = said(CustomerReplied, 60)
    copies = [
        (at_min, Envelope(UUID(int=n), "intake", reply.time, reply.event))
        for n, at_min in ((1, 300), (2**127, 400))
    ]
    learned = [(0, request()), (5, said(TicketResponded, 5)), (60, reply), *copies]
    heard = announced(learned, until_min=500)
    assert heard.count("next_response promise.breached") == 1
    assert "next_response promise.retracted" not in heard


def test_the_same_words_at_another_instant_are_another_fact() -> None:
    """Only what is equal in type, instant and content is one."""
    facts = [said(TicketResponded, 5), said(CustomerReplied, 60), said(TicketResponded, 70)]
    assert len(clocks(*facts, said(CustomerReplied, 80))["next_response"]) == 2


SETTLERS: list[tuple[PromiseKind, Fact]] = [
    ("first_response", said(TicketResponded, 45)),
    ("resolution", said(TicketResolved, 45)),
    ("first_response", said(TicketClosed, 45)),
]


@pytest.mark.parametrize(("kind", "settled"), SETTLERS)
@pytest.mark.parametrize("to", ["business_critical", "standard"])
def test_what_is_settled_is_not_judged_again_by_a_later_correction(
    kind: PromiseKind, settled: Fact, to: Severity
) -> None:
    """Ten days later it is found more severe, or less: what was promised then stands."""
    later = reclassified("t", to, after_min=10 * DAY_MIN)
    back: Severity = "business_critical" if to == "standard" else "standard"
    before = reclassified("t", back, after_min=10)
    assert one(kind, before, settled) == one(kind, before, settled, later)
    assert one(kind, settled) == one(kind, settled, later)


def test_a_later_correction_announces_nothing_of_what_is_settled() -> None:
    """Answered in 45 of 60 minutes stays in time, though 30 were promised had it been critical."""
    critical = reclassified("t", "business_critical", after_min=10 * DAY_MIN)
    learned = [
        (0, request()),
        (45, said(TicketResponded, 45)),
        (50, said(TicketResolved, 50)),
        (10 * DAY_MIN, critical),
    ]
    heard = announced(learned, until_min=20 * DAY_MIN)
    assert not [news for news in heard if "breached" in news or "repriced" in news]


def test_a_late_correction_of_what_was_open_still_counts() -> None:
    """Word of it comes after the answer, but it was critical before: 30 minutes were promised."""
    critical = reclassified("t", "business_critical", after_min=10)
    learned = [(0, request()), (45, said(TicketResponded, 45)), (600, critical)]
    heard = announced(learned, until_min=700)
    assert "first_response promise.breached" in heard
    standard = reclassified("t", "standard", after_min=20)
    heard = announced([*learned, (800, standard)], until_min=900)
    assert heard[-1] != "first_response promise.breached"
    assert "first_response promise.retracted" in heard


def test_what_is_open_is_priced_again_from_the_create_date() -> None:
    """At the correction the first response was settled; the solution was not."""
    facts = (said(TicketResponded, 20), reclassified("t", "business_critical", after_min=25))
    assert one("first_response", *facts).due_at == NOON + minutes(60)
    assert one("resolution", *facts).due_at == NOON + minutes(30)


def test_a_later_correction_promises_no_answer_that_was_given() -> None:
    """A kind that only the other severity promises is not timed after the fact."""
    envelope = a_ticket("t")
    assert isinstance(envelope.event, TicketAccepted)
    priced = {
        "promises": (),
        "if_reclassified": {"business_critical": promises(30, "first_response")},
    }
    event = envelope.event.model_copy(update=priced)
    asked = Envelope(envelope.id, "intake", NOON, event)
    answer = said(TicketResponded, 45)
    assert derive([asked, answer, reclassified("t", "business_critical", after_min=50)]) == []
    (timed,) = derive([asked, answer, reclassified("t", "business_critical", after_min=40)])
    assert timed.due_at == NOON + minutes(30)


def test_a_duplicate_merged_into_an_open_ticket_gives_it_the_older_date() -> None:
    """The promise lives on in the target, from the older create date."""
    assert one("first_response", absorbed(20, -30, -30)).due_at == NOON + minutes(30)
    assert one("first_response", absorbed(20, 10, 10)).due_at == NOON + minutes(60)


def test_a_merge_does_not_judge_again_what_was_settled_before() -> None:
    """Answered in 45 minutes, in time; a duplicate that is older is merged in later."""
    facts = (said(TicketResponded, 45), absorbed(50, -30, -30))
    settled = clocks(*facts)["first_response"][0]
    assert (settled.started_at, settled.is_in_time) == (NOON, True)


@pytest.mark.parametrize("over", [TicketResponded, TicketResolved, TicketClosed])
def test_an_unanswered_duplicate_stays_owed_on_a_ticket_that_was_not_open(
    over: type[TicketFact],
) -> None:
    """Whatever was said on the target before, the duplicate's customer waits for an answer."""
    facts = (said(over, 20), absorbed(40, 10, 10))
    running = [c for c in clocks(*facts)["first_response"] if c.is_open]
    assert [c.due_at for c in running] == [NOON + minutes(70 if over is not TicketClosed else 80)]
    assert one("resolution", *facts).is_open


def test_an_answer_after_the_merge_settles_what_the_duplicate_was_owed() -> None:
    """Both clocks of the first response are met, each by its own answer."""
    facts = (said(TicketResponded, 20), absorbed(40, 10, 10), said(TicketResponded, 45))
    first, second = clocks(*facts)["first_response"]
    assert (first.settled_at, second.settled_at) == (NOON + minutes(20), NOON + minutes(45))
    assert (first.recurs, second.recurs) == (False, True)


def test_a_duplicate_whose_customer_wrote_again_asks_for_the_next_response() -> None:
    """It was answered once: what is promised for a reply runs since that reply."""
    facts = (said(TicketResponded, 20), absorbed(40, 0, 30))
    assert one("next_response", *facts).started_at == NOON + minutes(30)
    assert len(clocks(*facts)["first_response"]) == 1


def test_a_breach_of_a_recurring_clock_names_its_cycle() -> None:
    """Two clocks of one kind are told apart by what started them."""
    merged = absorbed(40, 10, 10)
    facts = [request(), said(TicketResponded, 20), merged]
    (clock,) = [c for c in derive(facts) if c.is_open and c.kind == "first_response"]
    _, (late, *_), _ = fall_due(clock, now=NOON + timedelta(days=1))
    assert late.event.cycle == merged.id


def test_a_reopening_still_takes_no_breach_back() -> None:
    """What was broken before it was closed stays broken."""
    facts = [request(), said(TicketClosed, 90), said(TicketReopened, 100)]
    clock = next(c for c in derive(facts) if c.kind == "first_response")
    assert clock.is_late(NOON + minutes(100))
    heard = announced([(0, facts[0]), (90, facts[1]), (100, facts[2])], until_min=110)
    assert not [news for news in heard if PromiseRetracted.type in news]
