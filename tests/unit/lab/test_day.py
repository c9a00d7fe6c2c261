"""The demo's day: repeatable, complete in its ingredients, and honest about what is garbage."""

from collections import Counter
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from lab.demo.day import FIRST_DAY, STORIES, Day, Sending, a_day
from lab.demo.script import roster, script
from shared.basics.errors import Poison
from shared.events import INBOUND, LaterFact, SupportRequest
from shared.events.codec import read_headers, read_json


@pytest.fixture(scope="module")
def day() -> Day:
    """One day of many."""
    return a_day(7, FIRST_DAY, run="test")


def reason_for(sending: Sending) -> str:
    """Read a message as the intake's rules do; empty if it is a good document."""
    try:
        read_headers(sending.headers)
        INBOUND.validate_python(read_json(sending.value))
    except Poison as e:
        return e.reason
    except ValidationError:
        return "bad_data"
    return ""


def test_the_same_seed_makes_the_same_day() -> None:
    """A day can be played again, byte by byte."""
    assert a_day(7, FIRST_DAY, run="test") == a_day(7, FIRST_DAY, run="test")


def test_another_seed_makes_another_day(day: Day) -> None:
    """The seed matters."""
    assert a_day(8, FIRST_DAY, run="test").sendings != day.sendings


def test_two_runs_share_no_ticket(day: Day) -> None:
    """Days played on one stack never meet."""
    assert not day.requests.keys() & a_day(7, FIRST_DAY, run="other").requests.keys()


@pytest.mark.parametrize("number", range(5))
def test_a_day_is_of_believable_size(number: int) -> None:
    """Fourteen specialists take some eight hundred requests a day."""
    assert 600 <= len(a_day(number, FIRST_DAY, run="test").requests) <= 1_000


def test_every_valid_document_is_valid(day: Day) -> None:
    """What the day calls a document passes the contract and reads back as itself."""
    good = [sending for sending in day.sendings if sending.document]
    assert all(INBOUND.validate_json(s.value or b"") == s.document for s in good)


def test_every_garbage_record_is_refused_for_its_reason(day: Day) -> None:
    """What the day calls garbage cannot be handled, and for exactly the fault it names."""
    bad = [s for s in day.sendings if not s.document and s.door == "kafka"]
    assert bad
    assert [reason_for(s) for s in bad] == [s.reason for s in bad]


def test_garbage_by_http_is_no_document(day: Day) -> None:
    """A bad request over HTTP is answered with the status of its fault."""
    bad = [s for s in day.sendings if not s.document and s.door == "http"]
    assert {s.reason for s in bad} == {"400", "422"}
    assert all(reason_for(s) for s in bad)


def test_every_fault_occurs(day: Day) -> None:
    """Every way to be wrong that we know is in every day."""
    reasons = {s.reason for s in day.sendings if not s.document and s.door == "kafka"}
    assert reasons == {
        "bad_json", "bad_data", "bad_utf8", "bad_header", "empty", "tombstone", "too_deep"
    }  # fmt: skip


def test_every_story_is_told(day: Day) -> None:
    """Each kind of request that the day declares is in it."""
    assert set(day.stories.values()) == set(STORIES)


def test_every_language_comes_by_every_channel(day: Day) -> None:
    """Five languages, three channels, both roles."""
    pairs = {(r.language, r.channel) for r in day.requests.values()}
    assert len(pairs) == len(script().texts) * 3
    assert {r.role for r in day.requests.values()} == {"super_admin", "seat"}


def test_critical_claims_come_with_and_without_a_description(day: Day) -> None:
    """Some people tick the box and say nothing."""
    claims = [r for r in day.requests.values() if r.severity == "business_critical"]
    assert {bool(r.body) for r in claims} == {True, False}


def test_duplicates_come_by_the_same_and_by_the_other_door(day: Day) -> None:
    """Requests and facts are sent twice, and not always by the door they came by first."""
    copies = _copies(day.sendings)
    assert {len({s.door for s in found}) for found in copies} == {1, 2}
    assert {type(s.document) for found in copies for s in found} == {SupportRequest, LaterFact}


def test_some_answers_overtake_their_request(day: Day) -> None:
    """A response can be here before what it responds to."""
    arrived = set()
    overtaking = 0
    for sending in day.sendings:
        if isinstance(sending.document, SupportRequest):
            arrived.add(sending.document.ticket_id)
        elif isinstance(sending.document, LaterFact) and sending.document.type == "responded":
            overtaking += sending.document.ticket_id not in arrived
    assert overtaking >= list(day.stories.values()).count("answered_elsewhere") > 0


def test_some_facts_come_late(day: Day) -> None:
    """Requests and facts happened before they arrive, some of them long before."""
    late = [s for s in day.sendings if s.document and s.at > s.document.occurred_at]
    assert {type(s.document) for s in late} == {SupportRequest, LaterFact}


def test_two_bursts_stand_out(day: Day) -> None:
    """The rush of callbacks at ten, and the outage that one account writes about."""
    called = Counter(r.occurred_at.hour for r in day.requests.values() if r.channel == "phone")
    assert called.most_common(1)[0][0] == 10
    urgent = Counter(r.account_id for r in day.requests.values() if r.severity != "standard")
    assert urgent.most_common(1)[0][0] == script().outage_account_id


def test_somebody_serves_every_language_on_every_channel() -> None:
    """With this roster nothing waits for ever: two specialists for each pair, one on break."""
    for language in script().texts:
        for channel in ("email", "phone", "chat"):
            served = [s for s in roster() if language in s.languages and channel in s.capacity]
            assert len(served) >= 2, (language, channel)


def _copies(sendings: Sequence[Sending]) -> list[list[Sending]]:
    found: dict[object, list[Sending]] = {}
    for sending in sendings:
        if sending.document:
            found.setdefault(sending.document.document_id, []).append(sending)
    return [group for group in found.values() if len(group) > 1]
