"""Clocks over the lifecycle of a ticket: reopened, merged, reported twice, reclassified."""

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
from sla_monitor.domain import (
    Announced,
    Clock,
    Fact,
    Key,
    announce_due,
    derive,
    update_clock,
    withdraw,
)

TICKET = ticket_id_of("test", "t")
DAY_MIN = 24 * 60


def promises(target_min: int, *kinds: PromiseKind) -> tuple[Promise, ...]:
    """Make promises of these kinds, around the clock."""
    (like,) = promised(NOON)
    timed = {"target_s": target_min * 60, "due_at": None}
    return tuple(like.model_copy(update={**timed, "kind": kind}) for kind in kinds)


ALL: tuple[PromiseKind, ...] = ("first_response", "next_response", "resolution")


def request(*, standard_min: int = 60, critical_min: int = 30) -> Fact:
    """Make a request at noon; all kinds are promised, with a target by severity."""
    envelope = a_ticket("t")
    assert isinstance(envelope.event, TicketAccepted)
    priced = {
        "promises": promises(standard_min, *ALL),
        "if_reclassified": {"business_critical": promises(critical_min, *ALL)},
    }
    event = envelope.event.model_copy(update=priced)
    return Envelope(envelope.id, "intake", envelope.time, event)


def reported(event: type[TicketFact], after_min: float) -> Fact:
    """Make a fact that needs no more than the ticket."""
    return a_fact(event, "t", after_min=after_min)


def waits(after_min: float, cause: Cause) -> Fact:
    """Make a wait for someone."""
    return dated(TicketWaiting(ticket_id=TICKET, waiting_for=cause), after_min)


def absorbed(after_min: float, created_min: float, owed_min: float | None = None) -> Fact:
    """Merge a duplicate, whose customer waits since ``owed_min``."""
    event = TicketAbsorbed(
        ticket_id=TICKET,
        absorbed=ticket_id_of("test", "duplicate"),
        create_date=NOON + minutes(created_min),
        owed_since=None if owed_min is None else NOON + minutes(owed_min),
        reopens=True,
    )
    return dated(event, after_min)


def dated(event: Event, after_min: float) -> Fact:
    """Wrap an event that occurred so many minutes after noon."""
    return Envelope(
        UUID(int=int(after_min * 60) + 10**6), "intake", NOON + minutes(after_min), event
    )


def clocks(*facts: Fact) -> dict[str, list[Clock]]:
    """Return the derived clocks by promise kind."""
    found: dict[str, list[Clock]] = {kind: [] for kind in ALL}
    for clock in derive([request(), *facts]):
        found[clock.kind].append(clock)
    return found


def one(kind: PromiseKind, *facts: Fact) -> Clock:
    """Return the only clock of a kind."""
    (clock,) = clocks(*facts)[kind]
    return clock


def announced(learned: Iterable[tuple[float, Fact]], *, until_min: float) -> list[str]:
    """Apply facts in the order of arrival, with sweeps between, and list what is announced."""
    kept: dict[Key, Clock] = {}
    facts: list[Fact] = []
    events: list[Announced] = []
    for at_min, fact in [*learned, (until_min, None)]:
        now = NOON + minutes(at_min)
        for key in list(kept):
            while (due := kept[key].next_at()) is not None and due <= now:
                kept[key], news, _ = announce_due(kept[key], now=due)
                events += news
        if fact is None:
            break
        facts.append(fact)
        derived = {new.key: new for new in derive(facts)}
        for key, clock in list(kept.items()):
            if key not in derived:
                kept[key], news, _ = withdraw(clock, fact)
                events += news
        for key, new in derived.items():
            kept[key], news, _ = update_clock(kept.get(key), new, fact, now=now)
            events += news
    return [f"{a.event.kind} {a.event.type.split('.', 1)[1].removesuffix('.v1')}" for a in events]


@pytest.mark.parametrize("over", [TicketResolved, TicketClosed])
def test_a_reply_to_a_ticket_that_is_over_resumes_its_clocks(over: type[TicketFact]) -> None:
    """The resolution is owed again, without the time it was over; a response is owed, too."""
    facts = (reported(TicketResponded, 5), reported(over, 20), reported(CustomerReplied, 50))
    solution = one("resolution", *facts)
    assert (solution.state, solution.due_at) == ("running", NOON + minutes(90))
    following = one("next_response", *facts)
    assert (following.state, following.started_at) == ("running", NOON + minutes(50))


def test_a_reply_long_after_the_closing_starts_nothing() -> None:
    """After the policy's limit the ticket stays closed."""
    late = reported(CustomerReplied, 20 + 30 * DAY_MIN + 1)
    facts = (reported(TicketResponded, 5), reported(TicketClosed, 20), late)
    assert one("resolution", *facts).state == "cancelled"
    assert clocks(*facts)["next_response"] == []


@pytest.mark.parametrize("cause", CAUSES)
def test_a_reply_ends_every_wait(cause: Cause) -> None:
    """The ticket is open again, and due."""
    clock = one("first_response", waits(10, cause), reported(CustomerReplied, 25))
    assert clock.due_at == NOON + minutes(75)


@pytest.mark.parametrize("early_min", [-1440, -15.1, -15, -1, 0])
def test_a_clock_never_settles_before_it_starts(early_min: float) -> None:
    """An answer dated shortly before the request settles it at once; an older one does not."""
    clock = one("first_response", reported(TicketResponded, early_min))
    settled = NOON if early_min >= -15 else None
    assert clock.settled_at == settled


def test_a_repeated_reply_is_due_once() -> None:
    """A copy with another event id, which arrives after the miss, causes no second miss."""
    reply = reported(CustomerReplied, 60)
    copies = [
        (at_min, Envelope(UUID(int=n), "intake", reply.time, reply.event))
        for n, at_min in ((1, 300), (2**127, 400))
    ]
    learned = [(0, request()), (5, reported(TicketResponded, 5)), (60, reply), *copies]
    events = announced(learned, until_min=500)
    assert events.count("next_response promise.breached") == 1
    assert "next_response promise.retracted" not in events


def test_the_same_content_at_another_time_is_another_fact() -> None:
    """Only facts with equal type, time and content are one."""
    facts = [
        reported(TicketResponded, 5),
        reported(CustomerReplied, 60),
        reported(TicketResponded, 70),
    ]
    assert len(clocks(*facts, reported(CustomerReplied, 80))["next_response"]) == 2


SETTLERS: list[tuple[PromiseKind, Fact]] = [
    ("first_response", reported(TicketResponded, 45)),
    ("resolution", reported(TicketResolved, 45)),
    ("first_response", reported(TicketClosed, 45)),
]


@pytest.mark.parametrize(("kind", "settled"), SETTLERS)
@pytest.mark.parametrize("to", ["business_critical", "standard"])
def test_a_later_reclassification_does_not_change_settled_clocks(
    kind: PromiseKind, settled: Fact, to: Severity
) -> None:
    """A reclassification ten days later does not change settled clocks."""
    later = reclassified("t", to, after_min=10 * DAY_MIN)
    back: Severity = "business_critical" if to == "standard" else "standard"
    before = reclassified("t", back, after_min=10)
    assert one(kind, before, settled) == one(kind, before, settled, later)
    assert one(kind, settled) == one(kind, settled, later)


def test_a_later_reclassification_announces_nothing_for_settled_clocks() -> None:
    """An answer after 45 of 60 minutes stays in time, though the new severity promised 30."""
    critical = reclassified("t", "business_critical", after_min=10 * DAY_MIN)
    learned = [
        (0, request()),
        (45, reported(TicketResponded, 45)),
        (50, reported(TicketResolved, 50)),
        (10 * DAY_MIN, critical),
    ]
    events = announced(learned, until_min=20 * DAY_MIN)
    assert not [news for news in events if "breached" in news or "repriced" in news]


def test_a_late_reclassification_of_an_open_clock_counts() -> None:
    """It arrives after the answer, but is dated before it: the target was 30 minutes."""
    critical = reclassified("t", "business_critical", after_min=10)
    learned = [(0, request()), (45, reported(TicketResponded, 45)), (600, critical)]
    events = announced(learned, until_min=700)
    assert "first_response promise.breached" in events
    standard = reclassified("t", "standard", after_min=20)
    events = announced([*learned, (800, standard)], until_min=900)
    assert events[-1] != "first_response promise.breached"
    assert "first_response promise.retracted" in events


def test_an_open_clock_gets_the_new_target_from_the_create_date() -> None:
    """The first response was settled before the reclassification, the resolution was not."""
    facts = (reported(TicketResponded, 20), reclassified("t", "business_critical", after_min=25))
    assert one("first_response", *facts).due_at == NOON + minutes(60)
    assert one("resolution", *facts).due_at == NOON + minutes(30)


def test_a_later_reclassification_starts_no_clock_for_a_given_answer() -> None:
    """A promise that only the new severity has is not timed after the answer."""
    envelope = a_ticket("t")
    assert isinstance(envelope.event, TicketAccepted)
    priced = {
        "promises": (),
        "if_reclassified": {"business_critical": promises(30, "first_response")},
    }
    event = envelope.event.model_copy(update=priced)
    asked = Envelope(envelope.id, "intake", NOON, event)
    answer = reported(TicketResponded, 45)
    assert derive([asked, answer, reclassified("t", "business_critical", after_min=50)]) == []
    (timed,) = derive([asked, answer, reclassified("t", "business_critical", after_min=40)])
    assert timed.due_at == NOON + minutes(30)


def test_a_duplicate_merged_into_an_open_ticket_gives_it_the_older_date() -> None:
    """The target's clocks run from the older create date."""
    assert one("first_response", absorbed(20, -30, -30)).due_at == NOON + minutes(30)
    assert one("first_response", absorbed(20, 10, 10)).due_at == NOON + minutes(60)


def test_a_merge_does_not_change_settled_clocks() -> None:
    """A clock answered in time stays so when an older duplicate is merged later."""
    facts = (reported(TicketResponded, 45), absorbed(50, -30, -30))
    settled = clocks(*facts)["first_response"][0]
    assert (settled.started_at, settled.is_in_time) == (NOON, True)


@pytest.mark.parametrize("over", [TicketResponded, TicketResolved, TicketClosed])
def test_an_unanswered_duplicate_stays_owed_on_a_ticket_that_was_not_open(
    over: type[TicketFact],
) -> None:
    """The target's earlier responses do not answer the duplicate's customer."""
    facts = (reported(over, 20), absorbed(40, 10, 10))
    running = [c for c in clocks(*facts)["first_response"] if c.is_open]
    assert [c.due_at for c in running] == [NOON + minutes(70 if over is not TicketClosed else 80)]
    assert one("resolution", *facts).is_open


def test_an_answer_after_the_merge_settles_what_the_duplicate_was_owed() -> None:
    """Both first-response clocks are met, each by its own answer."""
    facts = (reported(TicketResponded, 20), absorbed(40, 10, 10), reported(TicketResponded, 45))
    first, second = clocks(*facts)["first_response"]
    assert (first.settled_at, second.settled_at) == (NOON + minutes(20), NOON + minutes(45))
    assert (first.recurs, second.recurs) == (False, True)


def test_a_duplicate_whose_customer_wrote_again_asks_for_the_next_response() -> None:
    """It was answered once: the next response runs from its second message."""
    facts = (reported(TicketResponded, 20), absorbed(40, 0, 30))
    assert one("next_response", *facts).started_at == NOON + minutes(30)
    assert len(clocks(*facts)["first_response"]) == 1


def test_a_breach_of_a_recurring_clock_names_its_cycle() -> None:
    """Two clocks of one kind are distinguished by what started them."""
    merged = absorbed(40, 10, 10)
    facts = [request(), reported(TicketResponded, 20), merged]
    (clock,) = [c for c in derive(facts) if c.is_open and c.kind == "first_response"]
    _, (late, *_), _ = announce_due(clock, now=NOON + timedelta(days=1))
    assert late.event.cycle == merged.id


def test_a_reopening_retracts_no_breach() -> None:
    """A breach before the closing stays a breach."""
    facts = [request(), reported(TicketClosed, 90), reported(TicketReopened, 100)]
    clock = next(c for c in derive(facts) if c.kind == "first_response")
    assert clock.is_late(NOON + minutes(100))
    events = announced([(0, facts[0]), (90, facts[1]), (100, facts[2])], until_min=110)
    assert not [news for news in events if PromiseRetracted.type in news]
