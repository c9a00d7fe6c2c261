"""How clocks stand: what was promised, what is used up and left, and the spans it is made of."""

from datetime import datetime, timedelta
from uuid import uuid5

import pytest

from shared.events import (
    NAMESPACE,
    Envelope,
    Event,
    TicketClosed,
    TicketReopened,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
    ticket_id_of,
)
from shared.sla.promises import Cause
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from sla_monitor.api.schemas import clock_answer
from sla_monitor.domain import Fact, derive
from sla_monitor.domain.clock_status import Reckoning, Standing, standings
from sla_monitor.domain.ticket_facts import read

HOUR = timedelta(hours=1)
FRIDAY_SIXTEEN = 4 * 24 * 60 + 4 * 60
"""Minutes after the Monday noon of the tests."""


def waiting(after_min: float, cause: Cause = "customer") -> Fact:
    """Wait for somebody from then on."""
    event: Event = TicketWaiting(ticket_id=ticket_id_of("test", "T1"), waiting_for=cause)
    when = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"{cause}{after_min}"), "test", when, event)


def standing(*facts: Fact, now: datetime) -> Standing:
    """Say how the one clock of some facts stands."""
    story = read(facts)
    assert story is not None
    [one] = standings(story, {clock.key: clock for clock in derive(facts)}, now=now)
    return one


def reckoned(*facts: Fact, now: datetime) -> Reckoning:
    """Take the sum of the one clock of some facts."""
    sums = standing(*facts, now=now).reckoning
    assert sums is not None
    return sums


def test_a_business_day_is_shown_in_the_spans_it_is_made_of() -> None:
    """Asked on Friday at 16:00: an hour of Friday and seven of Monday."""
    ticket = a_ticket("T1", role="seat", after_min=FRIDAY_SIXTEEN)
    sums = reckoned(ticket, now=ticket.time)
    lengths = [closes - opens for opens, closes in sums.spans]
    assert lengths == [HOUR, 7 * HOUR]
    assert [opens.strftime("%a %H:%M") for opens, _ in sums.spans] == ["Fri 16:00", "Mon 09:00"]


def test_what_is_left_is_told_in_business_and_in_wall_time() -> None:
    """Over the weekend business time stands still, wall time does not."""
    ticket = a_ticket("T1", role="seat", after_min=FRIDAY_SIXTEEN)
    saturday = reckoned(ticket, now=ticket.time + timedelta(days=1))
    assert (saturday.used, saturday.left) == (HOUR, 7 * HOUR)
    assert saturday.left_wall == timedelta(days=2)


def test_what_is_over_is_negative() -> None:
    """Ten minutes after the due time, minus ten are left, in both times."""
    sums = reckoned(a_ticket("T1"), now=NOON + minutes(70))
    assert (sums.left, sums.left_wall) == (minutes(-10), minutes(-10))


def test_pauses_are_left_out_of_the_spans_and_named_by_cause() -> None:
    """The spans add up to the target; each pause says why; both together are the wall time."""
    facts = (a_ticket("T1"), waiting(10), a_fact(TicketResumed, "T1", after_min=30))
    closed = a_fact(TicketClosed, "T1", after_min=40), a_fact(TicketReopened, "T1", after_min=45)
    sums = reckoned(*facts, *closed, now=NOON + minutes(50))
    assert sum((closes - opens for opens, closes in sums.spans), timedelta(0)) == HOUR
    assert [pause.cause for pause in sums.pauses] == ["customer", "closed"]
    assert (sums.paused, sums.used, sums.left) == (minutes(25), minutes(25), minutes(35))


def test_while_it_is_paused_nothing_is_due_and_the_rest_is_known() -> None:
    """The spans reach up to the pause, and what is left does not shrink."""
    sums = reckoned(a_ticket("T1"), waiting(10), now=NOON + minutes(300))
    assert (sums.left, sums.left_wall) == (minutes(50), None)
    assert sums.spans == ((NOON, NOON + minutes(10)),)
    assert sums.pauses[0].until is None


def test_a_settled_clock_stands_as_it_was_settled() -> None:
    """What was left at the answer does not change afterwards."""
    answer = a_fact(TicketResponded, "T1", after_min=20)
    one = standing(a_ticket("T1"), answer, now=NOON + minutes(500))
    assert one.as_of == answer.time
    assert one.reckoning is not None
    assert one.reckoning.left == minutes(40)


def test_warnings_say_whether_they_were_announced() -> None:
    """Half of the target was announced, four fifths not yet."""
    ticket = a_ticket("T1")
    [clock] = derive([ticket])
    story = read([ticket])
    assert story is not None
    warned = clock._replace(warned_s=1800)
    [one] = standings(story, {warned.key: warned}, now=NOON + minutes(31))
    assert one.reckoning is not None
    told_as = [(w.point, w.at, w.announced) for w in one.reckoning.warnings]
    assert told_as == [("50%", NOON + minutes(30), True), ("80%", NOON + minutes(48), False)]


def test_a_withdrawn_clock_is_explained_by_the_promise_it_had() -> None:
    """The severity it was promised at names the rule."""
    ticket = a_ticket("T1")
    [clock] = derive([ticket])
    gone = clock._replace(severity="business_critical", state="cancelled", due_at=None)
    story = read([ticket])
    assert story is not None
    [one] = standings(story, {gone.key: gone}, now=NOON)
    assert one.promise is not None
    assert one.promise.target_s == 1800


@pytest.mark.parametrize(("after_ms", "left_ms"), [(0, 3_600_000), (3_600_001, -1)])
def test_durations_are_whole_milliseconds(after_ms: int, left_ms: int) -> None:
    """Just over is minus one, not minus zero."""
    one = standing(a_ticket("T1"), now=NOON + timedelta(milliseconds=after_ms))
    remaining = clock_answer(one, "policy").remaining
    assert remaining is not None
    assert remaining.business_ms == left_ms


def test_instants_are_written_in_utc() -> None:
    """RFC 3339, with a Z."""
    written = clock_answer(standing(a_ticket("T1"), now=NOON), "policy").model_dump(mode="json")
    assert written["due_at"] == "2026-03-02T13:00:00Z"
