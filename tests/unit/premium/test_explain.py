"""`premium explain` shows sla-monitor's responses so that one look is enough."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from rich.console import Console

from premium.errors import CommandError
from premium.explain import responses
from premium.explain.command import ticket_named
from premium.explain.sentences import happened, reader_of
from premium.explain.view import explained
from premium.timestamps import Local, duration
from router.pages.history import history
from shared.events import (
    CATALOGUE,
    NAMESPACE,
    AssignmentExplained,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    Envelope,
    Event,
    PromiseBreached,
    PromiseRetracted,
    TicketAccepted,
    TicketEvent,
    TicketNoted,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
    ticket_id_of,
)
from shared.sla.promises import Role
from shared.testing.builders import NOON, a_fact, minutes, promised
from shared.wording import sentence
from sla_monitor.api.schemas import FactEntry, clocks_answer, timeline_answer
from sla_monitor.domain import Fact, announce_due, derive
from sla_monitor.domain.derive import no_exception
from sla_monitor.domain.replay import Learned, replay

T1 = ticket_id_of("test", "T1")
DOCUMENT = Path(__file__).parents[3] / "docs" / "explain.md"


def accepted(*, role: Role = "super_admin", after_min: float = 0) -> Fact:
    """Accept a ticket of an account in Berlin."""
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
    """Let the ticket wait for the customer."""
    event: Event = TicketWaiting(ticket_id=T1, waiting_for="customer")
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"waiting{after_min}"), "intake", at, event)


def shown(*learned: Learned, after_min: float) -> str:
    """Explain a ticket as of some minutes after noon."""
    now = NOON + minutes(after_min)
    settled = (announce_due(clock, now=now).clock for clock in derive(one.fact for one in learned))
    clocks = clocks_answer(T1, learned, {clock.key: clock for clock in settled}, now=now)
    timeline = timeline_answer(T1, learned, now=now)
    page = StringIO()
    Console(file=page, width=100).print(
        explained(
            responses.Clocks.model_validate_json(clocks.model_dump_json()),
            responses.Timeline.model_validate_json(timeline.model_dump_json()),
        )
    )
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def at_once(*facts: Fact) -> list[Learned]:
    """Learn of facts when they happen."""
    return [Learned(fact, fact.time) for fact in facts]


def test_the_document_shows_what_is_printed() -> None:
    """The example in docs/explain.md is exactly the output for these facts."""
    facts = at_once(accepted(), waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    assert shown(*facts, after_min=65) in DOCUMENT.read_text()


def test_the_verdict_comes_first_and_the_sum_last() -> None:
    """The output begins with the time left, and ends with why it is due then."""
    page = shown(*at_once(accepted()), after_min=31)
    assert "First response: 29 min left" in page
    last = " ".join(page.splitlines()[-1].split())
    assert last == "= 1 h, so it is due Mon 2 Mar 13:00:00 UTC (14:00:00 Europe/Berlin)"


def test_utc_and_local_time_are_side_by_side() -> None:
    """An engineer need not convert time zones at night."""
    page = shown(*at_once(accepted()), after_min=1)
    assert "created Mon 2 Mar 12:00:00 UTC (13:00:00 Europe/Berlin)" in page


def test_pauses_are_listed_with_their_cause_and_count_nothing() -> None:
    """The sum is ten minutes, a wait that counts 0, and fifty more."""
    facts = at_once(accepted(), waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    sums = shown(*facts, after_min=31).split("Why is it due then")[1]
    counts = [" ".join(line.split()[:2]) for line in sums.splitlines()[3:]]
    assert counts == ["10 min", "0 min", "50 min", "= 1"]
    assert "pause: waits for the customer" in sums


def test_a_business_day_is_counted_in_the_hours_it_was_open() -> None:
    """A request on Friday at 16:00 in Berlin counts one hour, and seven on Monday."""
    friday = accepted(role="seat", after_min=4 * 24 * 60 + 3 * 60)
    sums = shown(*at_once(friday), after_min=4 * 24 * 60 + 200).split("Why is it due then")[1]
    assert "1 h  Fri 6 Mar 15:00:00 to 16:00:00  16:00:00 to 17:00:00" in sums
    assert "7 h  Mon 9 Mar 08:00:00 to 15:00:00  09:00:00 to 16:00:00" in sums


def test_the_next_events_are_in_order() -> None:
    """First the next warning, then the due time and its consequence."""
    page = shown(*at_once(accepted()), after_min=31)
    ahead = page.split("What is next")[1].split("Why is it due then")[0].strip().splitlines()
    assert [line.split(": ")[1] for line in ahead] == [
        "first response warned at 80%",
        "first response due; if unanswered, breached",
    ]


def test_a_broken_promise_is_still_owed() -> None:
    """The output says by how much it is over, by which event, and what to do."""
    page = shown(*at_once(accepted()), after_min=72)
    assert "First response: BREACHED, still unanswered, 12 min over" in page
    assert "on breaches.v1" in page
    assert "The first response is still owed; an answer now meets it late." in page


def test_a_late_answer_shows_breach_and_retraction() -> None:
    """The promise was met: the output shows the breach, its retraction and the reason."""
    note = a_fact(TicketNoted, "T1", after_min=62)
    answer = Learned(a_fact(TicketResponded, "T1", after_min=20), NOON + minutes(90))
    page = shown(*at_once(accepted(), note), answer, after_min=91)
    assert "First response: met, with 40 min left" in page
    assert "all clear, it was met in time (breached, due Mon 2 Mar 13:00:00)" in page
    assert "late: known only since Mon 2 Mar 13:30:00" in page
    assert "(retracted later)" in page


def test_every_event_has_the_sentence_of_the_inbox() -> None:
    """For the same reader, explanation and inbox describe an event equally."""
    reader = reader_of(Local("UTC"))
    events = [event for event in goldens() if not isinstance(event, AssignmentExplained)]
    for event in events:
        data, at = event.model_dump(mode="json"), NOON
        fact = {"at": at, "type": event.type, "fact": event.model_dump_json()}
        entry = FactEntry(
            at=at,
            learned_at=at,
            late=False,
            type=event.type,
            event=data,
            fact_id=UUID(int=1),
            source="test",
            why="",
            changes=[],
        )
        explained_as = happened(responses.Entry.model_validate(entry.model_dump()), reader)
        assert [explained_as] == [line.text for line in history([fact], [], reader)]
    assert len(events) > 50


def test_every_change_of_a_clock_has_the_sentence_of_its_event() -> None:
    """What sla-monitor announced about the clocks is what the explanation shows."""
    facts = at_once(
        accepted(),
        waiting(10),
        a_fact(TicketResumed, "T1", after_min=30),
        a_fact(TicketNoted, "T1", after_min=85),
    )
    late = Learned(a_fact(TicketResponded, "T1", after_min=50), NOON + minutes(90))
    learned, reader = [*facts, late], reader_of(Local("Europe/Berlin"))
    page = " ".join(shown(*learned, after_min=91).split())
    steps = replay(learned, now=NOON + minutes(91), exception_of=no_exception)
    announced = [step.announced.event for step in steps]
    assert [event.type for event in announced if sentence(event, reader) not in page] == []
    assert {type(event) for event in announced} == {
        ClockStarted,
        ClockPaused,
        ClockResumed,
        ClockWarned,
        ClockMet,
        PromiseBreached,
        PromiseRetracted,
    }


def goldens() -> Iterator[TicketEvent]:
    """Read the event of each golden file that is about a ticket."""
    for path in sorted((DOCUMENT.parents[1] / "tests" / "contracts" / "golden").glob("*.json")):
        event = CATALOGUE[path.stem.partition("+")[0]]
        if issubclass(event, TicketEvent):
            yield event.model_validate(json.loads(path.read_text())["data"])


def test_a_missing_request_is_reported() -> None:
    """A fact that arrived before the request is shown."""
    page = shown(*at_once(a_fact(TicketResumed, "T1")), after_min=1)
    assert "its request has not come yet" in page
    assert "The wait is over (from test)" in page


def test_a_paused_clock_shows_no_due_time() -> None:
    """The output shows the time left after the pause, and that nothing is due."""
    page = shown(*at_once(accepted(), waiting(10)), after_min=40)
    assert "paused, 50 min left when it goes on" in page
    assert "= 10 min used up, 50 min left; nothing is due" in page


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(350, "350 ms"), (-60_000, "1 min"), (90_000, "1 min 30 s"), (4_825_000, "1 h 20 min")],
)
def test_durations_have_two_units_at_most(span_ms: int, text: str) -> None:
    """Smaller units are left out."""
    assert duration(span_ms) == text


def test_another_day_in_local_time_is_shown() -> None:
    """22:00 UTC is the next day in Tokyo."""
    assert Local("Asia/Tokyo").both(NOON + timedelta(hours=10)) == (
        "Mon 2 Mar 22:00:00 UTC (Tue 07:00:00 Asia/Tokyo)"
    )


def test_a_ticket_is_named_by_id_or_by_its_source() -> None:
    """Both give the same id; any other text is refused in one line."""
    assert ticket_named(str(T1), None) == ticket_named("test", "T1") == T1
    with pytest.raises(CommandError, match="is no ticket id"):
        ticket_named("T1", None)
