"""The demo's day is repeatable, has all kinds of messages, and states which are bad."""

from collections import Counter
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from lab.demo.content import day_content, roster
from lab.demo.day import FIRST_DAY, SCENARIOS, Day, Message, a_day
from shared.basics.errors import Poison
from shared.events import INBOUND, LaterFact, SupportRequest
from shared.events.codec import read_headers, read_json


@pytest.fixture(scope="module")
def day() -> Day:
    """Generate a day."""
    return a_day(7, FIRST_DAY, run="test")


def reason_for(message: Message) -> str:
    """Return the reason for which intake refuses a message; empty if it is valid."""
    try:
        read_headers(message.headers)
        INBOUND.validate_python(read_json(message.value))
    except Poison as e:
        return e.reason
    except ValidationError:
        return "bad_data"
    return ""


def test_the_same_seed_makes_the_same_day() -> None:
    """A day can be repeated, byte by byte."""
    assert a_day(7, FIRST_DAY, run="test") == a_day(7, FIRST_DAY, run="test")


def test_another_seed_makes_another_day(day: Day) -> None:
    """The seed changes the messages."""
    assert a_day(8, FIRST_DAY, run="test").messages != day.messages


def test_two_runs_share_no_ticket(day: Day) -> None:
    """Runs on one stack do not affect each other."""
    assert not day.requests.keys() & a_day(7, FIRST_DAY, run="other").requests.keys()


@pytest.mark.parametrize("number", range(5))
def test_a_day_has_a_realistic_size(number: int) -> None:
    """Fourteen specialists answer about eight hundred requests a day."""
    assert 600 <= len(a_day(number, FIRST_DAY, run="test").requests) <= 1_000


def test_every_valid_document_is_valid(day: Day) -> None:
    """Each document of the day is valid, and equal after it is read again."""
    good = [message for message in day.messages if message.document]
    assert all(INBOUND.validate_json(s.value or b"") == s.document for s in good)


def test_every_bad_record_is_refused_for_its_reason(day: Day) -> None:
    """Each bad message is refused for exactly the stated reason."""
    bad = [s for s in day.messages if not s.document and s.transport == "kafka"]
    assert bad
    assert [reason_for(s) for s in bad] == [s.reason for s in bad]


def test_a_bad_request_over_http_is_no_document(day: Day) -> None:
    """It is answered with the stated HTTP status."""
    bad = [s for s in day.messages if not s.document and s.transport == "http"]
    assert {s.reason for s in bad} == {"400", "422"}
    assert all(reason_for(s) for s in bad)


def test_every_fault_occurs(day: Day) -> None:
    """Every day has all known faults."""
    reasons = {s.reason for s in day.messages if not s.document and s.transport == "kafka"}
    assert reasons == {
        "bad_json", "bad_data", "bad_utf8", "bad_header", "empty", "tombstone", "too_deep"
    }  # fmt: skip


def test_every_scenario_occurs(day: Day) -> None:
    """Every day has all declared scenarios."""
    assert set(day.scenarios.values()) == set(SCENARIOS)


def test_every_language_occurs_on_every_channel(day: Day) -> None:
    """There are five languages, three channels and both roles."""
    pairs = {(r.language, r.channel) for r in day.requests.values()}
    assert len(pairs) == len(day_content().texts) * 3
    assert {r.role for r in day.requests.values()} == {"super_admin", "seat"}


def test_critical_claims_come_with_and_without_a_description(day: Day) -> None:
    """Some requesters claim the severity without a reason."""
    claims = [r for r in day.requests.values() if r.severity == "business_critical"]
    assert {bool(r.body) for r in claims} == {True, False}


def test_duplicates_come_by_the_same_and_by_the_other_transport(day: Day) -> None:
    """Requests and facts are sent twice, some by another transport."""
    copies = _copies(day.messages)
    assert {len({s.transport for s in found}) for found in copies} == {1, 2}
    assert {type(s.document) for found in copies for s in found} == {SupportRequest, LaterFact}


def test_some_answers_overtake_their_request(day: Day) -> None:
    """A response may arrive before its request."""
    arrived = set()
    overtaking = 0
    for message in day.messages:
        if isinstance(message.document, SupportRequest):
            arrived.add(message.document.ticket_id)
        elif isinstance(message.document, LaterFact) and message.document.type == "responded":
            overtaking += message.document.ticket_id not in arrived
    assert overtaking >= list(day.scenarios.values()).count("answered_elsewhere") > 0


def test_some_facts_come_late(day: Day) -> None:
    """Some requests and facts arrive long after they happened."""
    late = [s for s in day.messages if s.document and s.at > s.document.occurred_at]
    assert {type(s.document) for s in late} == {SupportRequest, LaterFact}


def test_two_bursts_stand_out(day: Day) -> None:
    """These are the rush of callbacks at ten, and the outage of one account."""
    called = Counter(r.occurred_at.hour for r in day.requests.values() if r.channel == "phone")
    assert called.most_common(1)[0][0] == 10
    urgent = Counter(r.account_id for r in day.requests.values() if r.severity != "standard")
    assert urgent.most_common(1)[0][0] == day_content().outage_account_id


def test_every_language_is_served_on_every_channel() -> None:
    """The roster has two specialists for each pair, so one may have a break."""
    for language in day_content().texts:
        for channel in ("email", "phone", "chat"):
            served = [s for s in roster() if language in s.languages and channel in s.capacity]
            assert len(served) >= 2, (language, channel)


def _copies(messages: Sequence[Message]) -> list[list[Message]]:
    found: dict[object, list[Message]] = {}
    for message in messages:
        if message.document:
            found.setdefault(message.document.document_id, []).append(message)
    return [group for group in found.values() if len(group) > 1]
