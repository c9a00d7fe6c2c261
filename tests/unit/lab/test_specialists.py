"""The simulated specialists: their decisions are repeatable and follow the story."""

from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID, uuid5

import pytest

from lab.demo.day import FIRST_DAY, STORIES, Story
from lab.demo.script import dice, roster
from lab.demo.specialists import Act, Work, breaks, pick_up, work_on
from shared.events import NAMESPACE, TicketAssigned
from shared.sla.promises import Channel

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
DUE_AT = NOON + timedelta(hours=1)


def a_ticket(number: int = 0, channel: Channel = "email", language: str = "en") -> TicketAssigned:
    """Make a ticket just given to somebody, due in an hour."""
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


def acts(ticket: TicketAssigned, story: Story = "plain", held: int = 0, turn: int = 1) -> list[Act]:
    """Ask the specialist what they do; at the second turn nobody declines."""
    return work_on(Work(ticket, story, NOON, held, turn), dice(ticket.ticket_id, turn))


def answer_minutes(channel: Channel = "email", language: str = "en", held: int = 0) -> float:
    """Measure how long an answer takes, in the middle of a hundred tickets."""
    found = [acts(a_ticket(n, channel, language), held=held)[0].at - NOON for n in range(100)]
    return median(after.total_seconds() for after in found) / 60


def test_the_same_ticket_is_answered_the_same() -> None:
    """A day can be played again."""
    assert acts(a_ticket()) == acts(a_ticket())


def test_load_and_language_take_time() -> None:
    """Who holds more answers later, and so does who writes in Japanese."""
    assert answer_minutes(held=6) > answer_minutes()
    assert answer_minutes(language="ja") > answer_minutes()


def test_answers_fit_the_channel() -> None:
    """Most promises are kept: chats join in a minute, callbacks in five, mails in thirty."""
    assert answer_minutes("chat") < 1
    assert answer_minutes("phone") < 5
    assert answer_minutes("email") < 30


def test_some_decline_once() -> None:
    """A few hand the ticket back, but nobody twice."""
    first = [acts(a_ticket(n), turn=0)[0].deed for n in range(200)]
    assert 0 < first.count("decline") < 20
    assert "decline" not in [acts(a_ticket(n), turn=1)[0].deed for n in range(200)]


def test_nearly_everybody_picks_up() -> None:
    """Some decline; who picked up does not hand it back then."""
    picked = [pick_up(dice(n)) for n in range(400)]
    assert 0 < picked.count("decline") < 30
    rang = [a_ticket(n).model_copy(update={"offer_id": UUID(int=n)}) for n in range(200)]
    assert "decline" not in [acts(ticket, turn=0)[0].deed for ticket in rang]


@pytest.mark.parametrize("story", STORIES)
def test_facts_are_told_in_order_and_never_early(story: Story) -> None:
    """Nothing is told before it happened."""
    found = acts(a_ticket(), story)
    assert found == sorted(found, key=lambda act: act.at)
    assert all(NOON <= act.at <= act.told_at for act in found)


def test_slow_breaks_and_told_late_only_seems_to() -> None:
    """One answers after the due time, the other before it, but both are heard of after."""
    slow, late = acts(a_ticket(), "slow")[0], acts(a_ticket(), "told_late")[0]
    assert slow.at > DUE_AT
    assert late.at < DUE_AT < late.told_at


def test_a_wait_ends_and_is_answered() -> None:
    """Asking back pauses the clock; the reply resumes it."""
    found = [act.deed for act in acts(a_ticket(), "waits")]
    assert found == ["waiting", "resumed", "responded"]


def test_a_chat_is_joined_and_closed() -> None:
    """A chat keeps its specialist until it is closed."""
    assert [act.deed for act in acts(a_ticket(channel="chat"))] == ["responded", "closed"]


def test_everybody_is_away_for_a_while_and_back() -> None:
    """Each specialist's last change of presence is to come back online."""
    plan = breaks(roster(), FIRST_DAY, seed=7)
    last = {change.specialist_id: change.presence for change in plan}
    assert last == dict.fromkeys((s.specialist_id for s in roster()), "online")
    assert {change.presence for change in plan} == {"away", "online"}


def test_stories_without_an_answer() -> None:
    """A withdrawn request is left alone."""
    assert acts(a_ticket(), "withdrawn", turn=0) == []


def test_ids_are_those_of_the_ticket() -> None:
    """Two tickets differ in what happens to them."""
    assert len({acts(a_ticket(n))[0].at for n in range(20)}) > 10
    assert isinstance(a_ticket().ticket_id, UUID)
