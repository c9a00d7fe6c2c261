"""A bad policy is refused whole: every fault with file, line, column, field and remedy."""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.basics.yaml_source import Refused
from shared.sla.policies import Policy, RequestMatch, RequestTraits
from shared.sla.policies.coverage import Coverage
from shared.sla.policies.files import load_policy

GOOD = """\
policy_id: ours
calendars:
  day:
    hours: {mon-fri: ["09:00-17:00"]}
rules:
  - name: calls
    match: {channel: phone}
    promises:
      - {kind: callback, class: objective, target: 5 min, calendar: always}
    source: guide
  - name: chats
    match: {channel: chat}
    no_promise: no figure
    source: guide
  - name: rest
    promises:
      - {kind: first_response, class: guarantee, target: 8 h, calendar: day, warnings: [50%]}
    source: guide
exceptions:
  - name: move
    reason: the data centre moves
    starts_at: 2026-03-02T00:00:00Z
    ends_at: 2026-03-03T00:00:00Z
"""

type Faults = Callable[[str], list[str]]


@pytest.fixture
def faults_of(tmp_path: Path) -> Faults:
    """Load a policy that must be refused, and list its faults."""

    def refused(text: str) -> list[str]:
        file = tmp_path / "ours.yaml"
        file.write_text(text)
        with pytest.raises(Refused) as refusal:
            load_policy(file)
        return str(refusal.value).split("\n")

    return refused


def test_the_good_one_is_good(tmp_path: Path) -> None:
    """What the others spoil is without fault."""
    file = tmp_path / "ours.yaml"
    file.write_text(GOOD)
    assert load_policy(file).policy_id == "ours"


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        (
            "kind: first_response",
            "kind: first_reponse",
            "17:10: rules[2].promises[0].kind: is 'first_reponse'; did you mean 'first_response'?",
        ),
        (
            "match: {channel: phone}",
            "match: {chanel: phone}",
            "7:13: rules[0].match.chanel: unknown key 'chanel'; did you mean 'channel'?",
        ),
        (
            "channel: phone",
            "channel: [phone, fax]",
            "7:30: rules[0].match.channel[1]: is 'fax'; known are chat, email, phone",
        ),
        (
            "    source: guide\n  - name: chats",
            "    sourc: guide\n  - name: chats",
            "10:5: rules[0].sourc: unknown key 'sourc'; did you mean 'source'?",
        ),
        (
            "    source: guide\n  - name: chats",
            "  - name: chats",
            "6:5: rules[0]: 'source' is missing; add it",
        ),
        (
            "calendar: day",
            "calendar: dy",
            "17:63: rules[2].promises[0].calendar: there is no calendar 'dy'; did you mean 'day'?",
        ),
        (
            "  - name: rest\n",
            "  - name: rest\n    match: {channel: [phone, chat]}\n",
            (
                "16:5: rules[2].match: never matches: 'calls', 'chats' before it take all; "
                "put it first, or drop it"
            ),
        ),
        (
            "  - name: rest\n",
            "  - name: rest\n    match: {language: de}\n",
            (
                "5:1: rules: no rule covers, for example, role super_admin, channel email, "
                "severity standard, any other language; "
                "add a rule, if need be one that says no_promise and why"
            ),
        ),
        (
            "warnings: [50%]}\n",
            (
                "warnings: [50%]}\n"
                "      - {kind: first_response, class: objective, target: 1 h, calendar: day}\n"
            ),
            (
                "18:10: rules[2].promises[1].kind: first_response is promised "
                "by this rule already; keep one"
            ),
        ),
        (
            "[50%]",
            "[50%, 8 h left]",
            (
                "17:94: rules[2].promises[0].warnings[1]: '8 h left' is past the target; "
                "warn when less is left, but some"
            ),
        ),
        (
            "[50%]",
            "[120%]",
            (
                "17:89: rules[2].promises[0].warnings[0]: '120%' is past the target; "
                "choose from 1% to 99%"
            ),
        ),
        (
            "[50%]",
            "[50%, 50%]",
            "17:94: rules[2].promises[0].warnings[1]: '50%' stands here twice; keep one",
        ),
        (
            "[50%]",
            "[half]",
            (
                "17:89: rules[2].promises[0].warnings[0]: 'half' is no warning point; "
                "write '50%' or '15 min left'"
            ),
        ),
        (
            "ends_at: 2026-03-03",
            "ends_at: 2026-03-01",
            "23:5: exceptions[0].ends_at: lies before starts_at; exchange the two",
        ),
        (
            "00:00:00Z\n    ends_at",
            "00:00:00\n    ends_at",
            (
                "22:5: exceptions[0].starts_at: '2026-03-02T00:00:00' has no zone; "
                "add one, such as +01:00"
            ),
        ),
        (
            "exceptions:\n",
            (
                "exceptions:\n  - name: again\n    reason: more\n"
                "    starts_at: 2026-03-02T12:00:00Z\n    ends_at: 2026-03-02T13:00:00Z\n"
            ),
            (
                "24:5: exceptions[1]: overlaps with 'again', which is for the same; "
                "make one of the two"
            ),
        ),
        (
            "name: chats",
            "name: calls",
            "11:5: rules[1].name: 'calls' is the name of rules[0]; choose another",
        ),
        (
            "target: 5 min",
            "target: 0 min",
            "9:44: rules[0].promises[0].target: '0 min' is not positive; promise at least 1 s",
        ),
        (
            "target: 5 min",
            "target: 5 minutes",
            (
                "9:44: rules[0].promises[0].target: '5 minutes' is no duration; "
                "write a whole number and s, min or h: '30 min'"
            ),
        ),
        (
            "    no_promise: no figure\n",
            "",
            "11:5: rules[1]: promises nothing; add promises, or no_promise with the reason",
        ),
        (
            "    no_promise: no figure\n",
            (
                "    no_promise: no figure\n    promises:\n"
                "      - {kind: join, class: objective, target: 60 s, calendar: always}\n"
            ),
            "13:5: rules[1].no_promise: the rule has promises, too; keep one of the two",
        ),
        (
            "  day:\n",
            "  always:\n    hours: always\n  day:\n",
            "3:3: calendars.always: 'always' is built in; choose another name",
        ),
        (
            "    hours: {",
            "    ours: {",
            "4:5: calendars.day.ours: unknown key 'ours'; did you mean 'hours'?",
        ),
        (
            "    hours: {",
            "    ical: none.ics\n    hours: {",
            "4:5: calendars.day.ical: none.ics cannot be read: No such file or directory",
        ),
        (
            "match: {channel: chat}",
            "match: {language: de-AT}",
            "12:13: rules[1].match.language: 'de-AT' is no base language; write 'de'",
        ),
        (
            "match: {channel: chat}",
            "match: {region: [FR, DE-BAY]}",
            "12:26: rules[1].match.region[1]: unknown subdivision 'BAY' of DE; did you mean 'BY'?",
        ),
        ("policy_id: ours", "policy_id: [ours", "2:10: is not YAML: "),
    ],
)
def test_a_fault_is_named_with_its_place(
    faults_of: Faults, good: str, bad: str, fault: str
) -> None:
    """File, line and column, the field, what is wrong, and what to do."""
    assert good in GOOD
    told = faults_of(GOOD.replace(good, bad, 1))
    assert any(line.startswith(f"ours.yaml:{fault}") for line in told), told


def test_every_fault_is_told_at_once_and_in_order(faults_of: Faults) -> None:
    """Whoever mends a policy sees all there is to mend."""
    bad = GOOD.replace("5 min", "never").replace("class: guarantee", "class: garantee")
    bad = bad.replace("reason:", "raison:")
    assert [line.split(":")[1] for line in faults_of(bad)] == ["9", "17", "21"]


def test_faults_of_the_whole_are_told_together(faults_of: Faults) -> None:
    """Those that no single field has."""
    bad = GOOD.replace("calendar: day", "calendar: night").replace("name: chats", "name: calls")
    assert len(faults_of(bad)) == 2


def test_a_calendar_takes_closed_dates_from_a_file(tmp_path: Path) -> None:
    """The policy holds the dates themselves: it needs no file where it goes."""
    (tmp_path / "closed.ics").write_bytes(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        b"DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20260706\r\nSUMMARY:outing\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    file = tmp_path / "ours.yaml"
    file.write_text(
        GOOD.replace("    hours:", "    ical: closed.ics\n    closed: [2026-12-24]\n    hours:", 1)
    )
    document = load_policy(file).document
    assert document["calendars"]["day"]["closed"] == ["2026-07-06", "2026-12-24"]


def test_what_an_icalendar_does_not_close_is_said(tmp_path: Path) -> None:
    """It is no fault; whoever checks the policy reads how many events have no effect."""
    events = "\r\n".join(
        f"BEGIN:VEVENT\r\nUID:{n}\r\n{start}\r\nEND:VEVENT"
        for n, start in enumerate(("DTSTART;VALUE=DATE:20261224", "DTSTART:20261211T120000"))
    )
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}\r\nEND:VCALENDAR\r\n"
    (tmp_path / "closed.ics").write_bytes(text.encode())
    file = tmp_path / "ours.yaml"
    file.write_text(GOOD.replace("    hours:", "    ical: closed.ics\n    hours:", 1))
    notes: list[str] = []
    load_policy(file, note=notes.append)
    (note,) = notes
    assert note.startswith("calendars.day.ical: closed.ics: 1 of 2 events close nothing: ")
    assert note.endswith("they have a time of day, are cancelled, or lie outside 2020 to 2039")


def test_a_file_that_is_no_icalendar_is_a_fault(tmp_path: Path, faults_of: Faults) -> None:
    """It is told at the place that names it."""
    (tmp_path / "closed.ics").write_text("hello")
    (fault,) = faults_of(GOOD.replace("    hours:", "    ical: closed.ics\n    hours:", 1))
    assert fault.startswith("ours.yaml:4:5: calendars.day.ical: closed.ics: ")


some = st.none() | st.lists(st.sampled_from(["de", "fr"]), min_size=1).map(tuple)
matches = st.builds(
    RequestMatch,
    role=st.none() | st.sampled_from([("seat",), ("super_admin",)]),
    channel=st.none() | st.sampled_from([("email", "phone"), ("chat",), ("phone",)]),
    severity=st.none() | st.sampled_from([("standard",), ("business_critical",)]),
    language=some,
    tier=st.none() | st.just(("gold",)),
    region=st.none() | st.sampled_from([("DE",), ("DE-BY",), ("DE-BY", "FR")]),
)
ROLES = ("seat", "super_admin")
CHANNELS = ("email", "phone", "chat")
SEVERITIES = ("standard", "business_critical")
LANGUAGES = ("de-AT", "fr", "en")
TIERS = ("gold", "bronze", None)
REGIONS = ("DE", "DE-BY", "DE-NW", "FR", "US", None)
EVERYBODY = [
    RequestTraits(*(role, channel, severity, language, "UTC", tier, region))  # type: ignore[arg-type]
    for role, channel, severity, language, tier, region in product(
        ROLES, CHANNELS, SEVERITIES, LANGUAGES, TIERS, REGIONS
    )
]


@given(st.lists(matches, min_size=1, max_size=6))
def test_rules_without_a_turn_and_requests_without_a_rule_are_found(
    rules: list[RequestMatch],
) -> None:
    """What asking for everybody in turn shows, no more and no less."""
    coverage = Coverage(rules)
    turns = {next((i for i, m in enumerate(rules) if m.fits(who)), None) for who in EVERYBODY}
    assert {i for i, taken in enumerate(coverage.taken) if taken} == turns - {None}
    left = coverage.uncovered()
    assert (left is not None) == (None in turns)
    if left is not None:
        assert not any(all(m.takes(k, v) for k, v in left.items()) for m in rules)


def test_the_rules_that_take_all_are_named() -> None:
    """Those before it that match what it matches, and no others."""
    one, two, other = (
        RequestMatch(tier=("a",)),
        RequestMatch(tier=("b",)),
        RequestMatch(channel=("chat",), tier=("c",)),
    )
    assert Coverage([one, other, two, RequestMatch(tier=("a", "b"))]).covering(3) == [0, 2]


def test_a_policy_off_the_wire_is_checked_as_well() -> None:
    """A policy with a fault cannot be, however it came."""
    document: dict[str, Any] = {"policy_id": "x", "rules": []}
    with pytest.raises(ValidationError, match=re.escape("no rule covers")):
        Policy.model_validate(document)
