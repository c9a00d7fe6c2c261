"""The simulated specialists' decisions are repeatable and follow the scenario."""

from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID, uuid5

import pytest

from lab.demo.content import roster, seeded_random
from lab.demo.day import FIRST_DAY, SCENARIOS, Scenario
from lab.demo.specialists import (
    AssignedWork,
    PlannedAction,
    answer_offer,
    presence_changes,
    work_on,
)
from shared.events import NAMESPACE, TicketAssigned
from shared.sla.promises import Channel

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
DUE_AT = NOON + timedelta(hours=1)


def a_ticket(number: int = 0, channel: Channel = "email", language: str = "en") -> TicketAssigned:
    """Make a newly assigned ticket, due in an hour."""
    return TicketAssigned(
        ticket_id=uuid5(NAMESPACE, str(number)),
        specialist_id="mara.kowalski",
        account_id="alder-finch",
        severity="standard",
        channel=channel,
        language=language,
        english_instead=False,
        due_at=DUE_AT,
        waited_ms=0,
    )


def actions(
    ticket: TicketAssigned, scenario: Scenario = "plain", held: int = 0, turn: int = 1
) -> list[PlannedAction]:
    """Return the specialist's actions; a ticket's second assignment is never declined."""
    return work_on(
        AssignedWork(ticket, scenario, NOON, held, turn), seeded_random(ticket.ticket_id, turn)
    )


def answer_minutes(channel: Channel = "email", language: str = "en", held: int = 0) -> float:
    """Return the median minutes to answer of a hundred tickets."""
    found = [actions(a_ticket(n, channel, language), held=held)[0].at - NOON for n in range(100)]
    return median(after.total_seconds() for after in found) / 60


def test_the_same_ticket_is_answered_the_same() -> None:
    """So a day can be repeated."""
    assert actions(a_ticket()) == actions(a_ticket())


def test_load_and_language_take_time() -> None:
    """A specialist with more tickets answers later, and an answer in Japanese takes longer."""
    assert answer_minutes(held=6) > answer_minutes()
    assert answer_minutes(language="ja") > answer_minutes()


def test_answers_fit_the_channel() -> None:
    """Most promises are kept: chats within a minute, callbacks in five, emails in thirty."""
    assert answer_minutes("chat") < 1
    assert answer_minutes("phone") < 5
    assert answer_minutes("email") < 30


def test_some_decline_once() -> None:
    """A few tickets are declined, but none twice."""
    first = [actions(a_ticket(n), turn=0)[0].kind for n in range(200)]
    assert 0 < first.count("decline") < 20
    assert "decline" not in [actions(a_ticket(n), turn=1)[0].kind for n in range(200)]


def test_nearly_all_offers_are_accepted() -> None:
    """Some are declined; an accepted one is not declined later."""
    picked = [answer_offer(seeded_random(n)) for n in range(400)]
    assert 0 < picked.count("decline") < 30
    rang = [a_ticket(n).model_copy(update={"offer_id": UUID(int=n)}) for n in range(200)]
    assert "decline" not in [actions(ticket, turn=0)[0].kind for ticket in rang]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_actions_are_reported_in_order_and_never_early(scenario: Scenario) -> None:
    """No action is reported before it happened."""
    found = actions(a_ticket(), scenario)
    assert found == sorted(found, key=lambda action: action.at)
    assert all(NOON <= action.at <= action.reported_at for action in found)


def test_slow_breaks_the_promise_and_reported_late_does_not() -> None:
    """One answers after the due time, the other before it, but both are event_count of after."""
    slow, late = actions(a_ticket(), "slow")[0], actions(a_ticket(), "reported_late")[0]
    assert slow.at > DUE_AT
    assert late.at < DUE_AT < late.reported_at


def test_a_waiting_ticket_is_answered_in_the_end() -> None:
    """A question to the customer pauses the clock; the reply resumes it."""
    found = [action.kind for action in actions(a_ticket(), "waits")]
    assert found == ["waiting", "resumed", "responded"]


def test_a_chat_is_answered_and_closed() -> None:
    """A chat keeps its specialist until it is closed."""
    assert [action.kind for action in actions(a_ticket(channel="chat"))] == ["responded", "closed"]


def test_every_specialist_has_a_break_and_returns() -> None:
    """Each specialist's last presence is online."""
    plan = presence_changes(roster(), FIRST_DAY, seed=7)
    last = {change.specialist_id: change.presence for change in plan}
    assert last == dict.fromkeys((s.specialist_id for s in roster()), "online")
    assert {change.presence for change in plan} == {"away", "online"}


def test_a_withdrawn_request_has_no_answer() -> None:
    """The specialist does nothing about it."""
    assert actions(a_ticket(), "withdrawn", turn=0) == []


def test_actions_depend_on_the_ticket() -> None:
    """Two tickets have different actions."""
    assert len({actions(a_ticket(n))[0].at for n in range(20)}) > 10
    assert isinstance(a_ticket().ticket_id, UUID)
