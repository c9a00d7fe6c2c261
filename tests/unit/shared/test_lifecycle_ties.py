"""Facts of one instant, and facts exactly at a limit of time: the last instant counts."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from shared.testing.builders import NOON
from shared.tickets import (
    AHEAD_MAX,
    FactKind,
    LifecycleFact,
    Status,
    TicketLife,
    lifecycle,
    ordered_facts,
)

MICROSECOND = timedelta(microseconds=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


def fact(kind: FactKind, at: datetime, number: int, **more: object) -> LifecycleFact:
    """Make a fact; of those at one instant, the order is by number."""
    return LifecycleFact(kind, at, UUID(int=number), **more)  # type: ignore[arg-type]


def request(number: int = 5) -> LifecycleFact:
    """Make the request of noon, by email; a closed ticket is reopened within a day."""
    return fact("accepted", NOON, number, channel="email", reopen_within=DAY)


def life(*facts: LifecycleFact) -> TicketLife:
    """Return the one result of all orders of arrival."""
    [found] = {lifecycle(order) for order in permutations((request(), *facts))}
    assert found is not None
    return found


@pytest.mark.parametrize("reopening", ["reopened", "replied"])
@pytest.mark.parametrize(
    ("closed", "reopened", "status"),
    [(10, 20, "open"), (20, 10, "closed")],
)
def test_of_a_closing_and_a_reopening_at_one_instant_the_greater_id_is_last(
    reopening: FactKind, closed: int, reopened: int, status: Status
) -> None:
    """Whatever the order of arrival, all services find the same."""
    at = NOON + timedelta(hours=1)
    facts = (fact("closed", at, closed), fact(reopening, at, reopened))
    assert life(*facts).status == status


@pytest.mark.parametrize(
    ("late", "status"), [(-MICROSECOND, "open"), (0 * DAY, "open"), (MICROSECOND, "closed")]
)
def test_a_reply_at_the_last_instant_of_the_limit_reopens(late: timedelta, status: Status) -> None:
    """A day after the closing still counts, a microsecond more does not."""
    closed_at = NOON + timedelta(hours=1)
    reply = fact("replied", closed_at + DAY + late, 20)
    assert life(fact("closed", closed_at, 10), reply).status == status


def test_a_duplicate_at_the_instant_of_the_closing_reopens_by_its_id() -> None:
    """A duplicate that was still open reopens what was over before it, not what ends after it."""
    at = NOON + timedelta(hours=1)
    closed = fact("closed", at, 10)
    assert life(closed, fact("absorbed", at, 20, reopens=True)).status == "open"
    assert life(closed, fact("absorbed", at, 9, reopens=True)).status == "closed"


def test_of_two_closings_at_one_instant_the_smaller_id_stands() -> None:
    """The first of its kind since the ticket was last open."""
    at = NOON + timedelta(hours=1)
    stands = life(fact("closed", at, 20), fact("closed", at, 10)).closed
    assert stands is not None
    assert stands.id == UUID(int=10)


@pytest.mark.parametrize("kind", ["resolved", "closed"])
def test_the_first_resolution_and_the_first_closing_stand(kind: FactKind) -> None:
    """A second one changes nothing; after the ticket was reopened, the next one stands."""
    first, second, third = (fact(kind, NOON + n * DAY / 4, 10 + n) for n in (1, 2, 4))
    once, again = life(first, second), life(first, fact("reopened", NOON + DAY / 2, 30), third)
    assert (getattr(once, kind), getattr(again, kind)) == (first, third)


def test_clocks_of_two_systems_differ_by_a_quarter_of_an_hour() -> None:
    """This is the limit for create dates, and for facts dated before the request."""
    assert AHEAD_MAX == QUARTER
    assert life(fact("responded", NOON - QUARTER, 10)).status == "answered"
    assert life(fact("responded", NOON - QUARTER - MICROSECOND, 10)).status == "open"


@pytest.mark.parametrize("number", [1, 9])
def test_an_answer_at_the_instant_of_the_request_answers_it(number: int) -> None:
    """The request comes first, whatever the ids."""
    assert life(fact("responded", NOON, number)).status == "answered"


def test_facts_dated_before_the_request_keep_their_order() -> None:
    """They are dated to its instant and stay as they came: closed, then reopened."""
    facts = (
        fact("closed", NOON - 2 * MICROSECOND, 20),
        fact("reopened", NOON - MICROSECOND, 10),
    )
    assert life(*facts).status == "open"
    assert [one.at for one in ordered_facts([request(), *facts])] == [NOON, NOON, NOON]
