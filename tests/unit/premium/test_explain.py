"""`premium explain`: what sla-monitor answers is read whole, and one look is enough."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from rich.console import Console

from premium.errors import CommandError
from premium.explain import answers
from premium.explain.command import ticket_named
from premium.explain.view import explained
from premium.moments import Local, length
from shared.events import (
    NAMESPACE,
    Envelope,
    Event,
    TicketAccepted,
    TicketNoted,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
    ticket_id_of,
)
from shared.sla.promises import Role
from shared.testing.builders import NOON, a_fact, minutes, promised
from sla_monitor.api.schemas import clocks_answer, timeline_answer
from sla_monitor.domain import Fact, derive, fall_due
from sla_monitor.domain.replay import Learned

T1 = ticket_id_of("test", "T1")
DOCUMENT = Path(__file__).parents[3] / "docs" / "explain.md"


def accepted(*, role: Role = "super_admin", after_min: float = 0) -> Fact:
    """Open a ticket of an account in Berlin."""
    at = NOON + minutes(after_min)
    event: Event = TicketAccepted(
        ticket_id=T1,
        source="test",
        external_id="T1",
        account_id="northwind",
        requester_id="ada",
        role=role,
        channel="email",
        severity="standard",
        claimed_severity="standard",
        language="en",
        time_zone="Europe/Berlin",
        policy="71de4ddd1901",
        promises=promised(at, role=role, time_zone="Europe/Berlin"),
    )
    return Envelope(UUID(int=1), "intake", at, event)


def waiting(after_min: float) -> Fact:
    """Wait for the customer."""
    event: Event = TicketWaiting(ticket_id=T1, waiting_for="customer")
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"waiting{after_min}"), "intake", at, event)


def shown(*learned: Learned, after_min: float) -> str:
    """Explain a ticket as of so long after noon, on a wide page."""
    now = NOON + minutes(after_min)
    settled = (fall_due(clock, now=now).clock for clock in derive(one.fact for one in learned))
    clocks = clocks_answer(T1, learned, {clock.key: clock for clock in settled}, now=now)
    timeline = timeline_answer(T1, learned, now=now)
    page = StringIO()
    Console(file=page, width=100).print(
        explained(
            answers.Clocks.model_validate_json(clocks.model_dump_json()),
            answers.Timeline.model_validate_json(timeline.model_dump_json()),
        )
    )
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def at_once(*facts: Fact) -> list[Learned]:
    """Learn of facts the moment they happen."""
    return [Learned(fact, fact.time) for fact in facts]


def test_the_document_shows_what_is_printed() -> None:
    """The example in docs/explain.md is the output for these facts, to the letter."""
    facts = at_once(accepted(), waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    assert shown(*facts, after_min=65) in DOCUMENT.read_text()


def test_the_verdict_comes_first_and_the_sum_last() -> None:
    """What is left stands at the top; the page ends with why it is due then."""
    page = shown(*at_once(accepted()), after_min=31)
    assert "First response: 29 min left" in page
    last = " ".join(page.splitlines()[-1].split())
    assert last == "= 1 h, so it is due Mon 2 Mar 13:00:00 UTC (14:00:00 Europe/Berlin)"


def test_utc_and_the_accounts_clock_stand_side_by_side() -> None:
    """Nobody has to add an hour at night."""
    page = shown(*at_once(accepted()), after_min=1)
    assert "created Mon 2 Mar 12:00:00 UTC (13:00:00 Europe/Berlin)" in page


def test_pauses_are_left_out_of_the_sum_by_name() -> None:
    """Ten minutes, a wait that does not count, and fifty more."""
    facts = at_once(accepted(), waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    sums = shown(*facts, after_min=31).split("Why is it due then")[1]
    counts = [" ".join(line.split()[:2]) for line in sums.splitlines()[3:]]
    assert counts == ["10 min", "0 min", "50 min", "= 1"]
    assert "pause: waits for the customer" in sums


def test_a_business_day_is_counted_in_the_hours_it_was_open() -> None:
    """Asked on Friday at 16:00 in Berlin: one hour, and seven on Monday."""
    friday = accepted(role="seat", after_min=4 * 24 * 60 + 3 * 60)
    sums = shown(*at_once(friday), after_min=4 * 24 * 60 + 200).split("Why is it due then")[1]
    assert "1 h  Fri 6 Mar 15:00:00 to 16:00:00  16:00:00 to 17:00:00" in sums
    assert "7 h  Mon 9 Mar 08:00:00 to 15:00:00  09:00:00 to 16:00:00" in sums


def test_what_is_next_is_said_in_order() -> None:
    """The warning that is to come, then the due time and what it would mean."""
    page = shown(*at_once(accepted()), after_min=31)
    ahead = page.split("What is next")[1].split("Why is it due then")[0].strip().splitlines()
    assert [line.split(": ")[1] for line in ahead] == [
        "first response warned at 80%",
        "first response due; if unanswered, breached",
    ]


def test_a_broken_promise_is_still_owed() -> None:
    """Breached, by how much, by which event, and what to do."""
    page = shown(*at_once(accepted()), after_min=72)
    assert "First response: BREACHED, still unanswered, 12 min over" in page
    assert "on breaches.v1" in page
    assert "The first response is still owed; answer, and it is met too late." in page


def test_an_answer_told_late_tells_the_whole_story() -> None:
    """Kept after all: the breach that was announced, and that it was taken back, and why."""
    note = a_fact(TicketNoted, "T1", after_min=62)
    answer = Learned(a_fact(TicketResponded, "T1", after_min=20), NOON + minutes(90))
    page = shown(*at_once(accepted(), note), answer, after_min=91)
    assert "First response: kept, with 40 min to spare" in page
    assert "breached (due Mon 2 Mar 13:00:00) taken back: answered" in page
    assert "late: known only since Mon 2 Mar 13:30:00" in page
    assert "BREACHED, taken back later" in page


def test_a_request_that_has_not_come_is_said_to_be_missing() -> None:
    """A fact that overtook it is shown all the same."""
    page = shown(*at_once(a_fact(TicketResumed, "T1")), after_min=1)
    assert "its request has not come yet" in page
    assert "ticket resumed" in page


def test_a_paused_clock_shows_no_due_time() -> None:
    """What is left when it goes on, and that nothing is due."""
    page = shown(*at_once(accepted(), waiting(10)), after_min=40)
    assert "paused, 50 min left when it goes on" in page
    assert "= 10 min used up, 50 min left; nothing is due" in page


@pytest.mark.parametrize(
    ("span_ms", "said"),
    [(350, "350 ms"), (-60_000, "1 min"), (90_000, "1 min 30 s"), (4_825_000, "1 h 20 min")],
)
def test_durations_have_two_units_at_most(span_ms: int, said: str) -> None:
    """The rest does not matter at night."""
    assert length(span_ms) == said


def test_another_day_by_the_accounts_clock_is_named() -> None:
    """Ten in the evening in UTC is tomorrow in Tokyo."""
    assert Local("Asia/Tokyo").both(NOON + timedelta(hours=10)) == (
        "Mon 2 Mar 22:00:00 UTC (Tue 07:00:00 Asia/Tokyo)"
    )


def test_a_ticket_is_named_by_id_or_by_its_source() -> None:
    """Both find the same; what is neither is refused in one line."""
    assert ticket_named(str(T1), None) == ticket_named("test", "T1") == T1
    with pytest.raises(CommandError, match="is no ticket id"):
        ticket_named("T1", None)
