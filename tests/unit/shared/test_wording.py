"""Each event about a ticket has one sentence, which a catalogue can translate."""

import json
from collections.abc import Iterator
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, override

import pytest
from babel.messages.extract import extract_from_dir

import shared.wording
from shared.events import CATALOGUE, RULES, AssignmentExplained, Change, Decided, Rule
from shared.events.base import TicketEvent
from shared.web.formatting import span
from shared.wording import SENTENCES, Reader, sentence
from shared.wording.assignments import unanswered_offers
from shared.wording.decisions import explain, summary
from shared.wording.leads import lead_command
from shared.wording.waiting import missing_coverage, why_it_waits

GOLDEN: Final = Path(__file__).parents[2] / "contracts" / "golden"
ABOUT_TICKETS: Final = {
    kind: event for kind, event in CATALOGUE.items() if issubclass(event, TicketEvent)
}
WRITTEN: Final = {
    "premium.assignment.declined.v1": "Mara declined: in a call",
    "premium.assignment.explained.v1+returns": "Jonas answered it before.",
    "premium.assignment.explained.v1": "Jonas had the lowest score.",
    "premium.assignment.handed_back.v1": "Lea took it back from Mara: mara is overloaded",
    "premium.assignment.released.v1": "Mara is done: the customer was answered",
    "premium.assignment.responded.v1": "Mara answered the customer",
    "premium.callback.attempted.v1": "Mara called: no answer (try 1)",
    "premium.callback.joined.v1": "Shares the call of another ticket with the same number",
    "premium.callback.planned.v1": "Next try at 12:02",
    "premium.callback.reminded.v1": "Mara was reminded to call (try 2)",
    "premium.callback.settled.v1": "Customer reached. No more calls needed.",
    "premium.clock.cancelled.v1": "First response: no longer owed, the ticket was closed",
    "premium.clock.met.v1": "First response: met in time",
    "premium.clock.paused.v1": "First response: paused, nothing is due",
    "premium.clock.repriced.v1": "First response: now within 30 min, due 13:00",
    "premium.clock.resumed.v1": "First response: running again, due 13:00",
    "premium.clock.started.v1": "First response: due 13:00",
    "premium.clock.warned.v1": "First response: 50 % of the time is used, due 13:00",
    "premium.customer.reached.v1": "The customer was reached",
    "premium.customer.replied.v1": "The customer wrote again",
    "premium.notification.failed.v1": "Mail to the team not delivered: 550 no such user",
    "premium.notification.sent.v1": "Mail sent to Mara: new ticket",
    "premium.offer.accepted.v1": "Mara accepted",
    "premium.offer.declined.v1": "Mara declined: in a call",
    "premium.offer.expired.v1": "Mara missed it",
    "premium.offer.withdrawn.v1": "Stopped ringing for Mara: the ticket was resolved",
    "premium.promise.breached.v1": "First response: guarantee broken, overdue since 13:00",
    "premium.promise.feasible.v1": "Can be answered in time again: a specialist will be on shift",
    "premium.promise.infeasible.v1": "Cannot be answered in time: No Japanese line until 01:00",
    "premium.promise.missed.v1": "First response: goal missed, late since 13:00",
    "premium.promise.retracted.v1": "First response: all clear",
    "premium.severity.confirmed.v1": "Mara confirmed that it is business-critical",
    "premium.severity.reclassified.v1": "Mara changed it to standard",
    "premium.specialist.set_away.v1": "Mara was set away after 3 missed offers in a row",
    "premium.ticket.absorbed.v1": "Another ticket was merged into this one",
    "premium.ticket.accepted.v1+both-prices": "Came in by app-form as A-1002, due 12:30",
    "premium.ticket.accepted.v1+dialled": "Came in by app-form as A-1002",
    "premium.ticket.accepted.v1+number": "Came in by app-form as A-1002, call due 12:05",
    "premium.ticket.accepted.v1": "Came in by app-form as A-1001, due 13:00",
    "premium.ticket.assigned.v1": "Assigned to Mara after 1 s",
    "premium.ticket.closed.v1": "Closed",
    "premium.ticket.erased.v1": "Erased on request",
    "premium.ticket.merged.v1": "Merged into another ticket",
    "premium.ticket.noted.v1": "An internal note was written",
    "premium.ticket.offered.v1": "Rang for Mara",
    "premium.ticket.queued.v1": "Waited: everyone who could take it was full",
    "premium.ticket.reclassified.v1": "Changed to business-critical",
    "premium.ticket.reopened.v1": "Reopened",
    "premium.ticket.resolved.v1": "Resolved",
    "premium.ticket.responded.v1": "The customer was answered",
    "premium.ticket.resumed.v1": "The wait is over",
    "premium.ticket.waiting.v1": "Waiting for the customer",
}
"""The sentence of each golden file; specialists are named by their capitalised ids."""


class _Recorded(NullTranslations):
    """Translates each message into itself in brackets, and records it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: set[str] = set()

    @override
    def gettext(self, message: str) -> str:
        self.messages.add(message)
        return f"[{message}]"

    @override
    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.messages |= {msgid1, msgid2}
        return f"[{msgid1 if n == 1 else msgid2}]"


def reader(catalogue: NullTranslations | None = None) -> Reader:
    """Make a reader who sees hours and minutes."""
    return Reader(
        duration=span,
        moment=lambda at: f"{at:%H:%M}",
        name=str.title,
        catalogue=catalogue or NullTranslations(),
    )


def golden(file: str) -> TicketEvent:
    """Read the event of a golden file."""
    data = json.loads((GOLDEN / f"{file}.json").read_text())["data"]
    return ABOUT_TICKETS[file.partition("+")[0]].model_validate(data)


def variants(event: TicketEvent) -> Iterator[TicketEvent]:
    """Yield the event with each value of each of its codes, and without each optional field."""
    yield event
    for name, field in type(event).model_fields.items():
        kinds = [getattr(one, "__value__", one) for one in (field.annotation, *_parts(field))]
        for kind in kinds:
            if get_origin(kind) is Literal:
                yield from (event.model_copy(update={name: code}) for code in get_args(kind))
            if kind is type(None):
                yield event.model_copy(update={name: None})


def _parts(field: Any) -> tuple[Any, ...]:  # noqa: ANN401 - of pydantic
    return get_args(getattr(field.annotation, "__value__", field.annotation))


def test_every_event_about_a_ticket_has_a_sentence() -> None:
    """A new type of event needs a sentence, and a row above; no other event has one."""
    assert set(SENTENCES) == set(ABOUT_TICKETS.values())
    assert {file.partition("+")[0] for file in WRITTEN} == set(ABOUT_TICKETS)


@pytest.mark.parametrize(("file", "text"), WRITTEN.items())
def test_the_sentence_of_an_event(file: str, text: str) -> None:
    """It states what happened, to whom, and when something is due."""
    assert sentence(golden(file), reader()) == text


@pytest.mark.parametrize("file", WRITTEN)
def test_every_code_of_an_event_is_written_as_words(file: str) -> None:
    """Whatever reason, cause or outcome an event has; codes have underscores."""
    texts = [sentence(event, reader()) for event in variants(golden(file))]
    assert [text for text in texts if not text or set("{}_") & set(text)] == []


def test_numbers_have_a_singular() -> None:
    """Of offers, and of tickets in a decision."""
    away = golden("premium.specialist.set_away.v1").model_copy(update={"unanswered": 1})
    assert sentence(away, reader()) == "Mara was set away after one missed offer"
    text = unanswered_offers({"mara": 2, "jonas": 1}, reader())
    assert text == "Rang 3 times without an answer: Mara 2 times, Jonas once"


def test_who_hands_back_is_named() -> None:
    """The specialist; or the lead who took it back; or neither, if a rule did it."""
    by_lead = golden("premium.assignment.handed_back.v1")
    own = by_lead.model_copy(update={"by": "mara", "reason": "shift ends"})
    rule = by_lead.model_copy(update={"cause": "off_shift", "by": None, "reason": None})
    assert [sentence(event, reader()) for event in (own, rule)] == [
        "Mara handed it back: shift ends",
        "Back in the queue: the shift of Mara ended",
    ]


def test_an_answer_in_english_names_the_language() -> None:
    """The language of the ticket, which no specialist speaks."""
    assigned = golden("premium.ticket.assigned.v1")
    instead = assigned.model_copy(update={"english_instead": True, "language": "pt-BR"})
    text = "Assigned to Mara after 1 s, in English instead of Portuguese (Brazil)"
    assert sentence(instead, reader()) == text


def test_missing_coverage_is_described() -> None:
    """By the next shift; or because no specialist on the roster is qualified."""
    golden_event = golden("premium.promise.infeasible.v1")
    opens_at = golden_event.opens_at  # type: ignore[attr-defined]
    assert missing_coverage("email", "de", opens_at, reader()) == "No German email until 01:00"
    assert missing_coverage("chat", "ja", None, reader()) == (
        "Nobody on the roster takes chats in Japanese or English"
    )
    assert missing_coverage("phone", "en", None, reader()) == (
        "Nobody on the roster takes calls in English"
    )


def test_a_reason_for_waiting_is_described() -> None:
    """By what the specialists lack, or by whom the ticket is kept for."""
    assert why_it_waits("no_capacity", None, reader()) == "Everyone who could take it is full"
    assert why_it_waits("pinned", "jonas", reader()) == "Kept for Jonas, who is full or away"


def test_a_leads_command_is_described() -> None:
    """With the lead's reason."""
    text = lead_command("pin", "lea", "ben", "knows the account", reader())
    assert text == "Lea keeps it for Ben: knows the account"


WOULD: Final[tuple[tuple[Rule, int, str], ...]] = (
    ("channel", 0, "Mara would have it if they served the channel."),
    ("certified", 0, "Mara would have it if they were certified."),
    ("language", 1, "Mara would have it with one more level of the language."),
    ("language", 2, "Mara would have it with 2 more levels of the language."),
    ("skill", 1, "Mara would have it with one more of the skills."),
    ("presence", 0, "Mara would have it if they were online."),
    ("shift", 0, "Mara would have it if they were on shift."),
    ("room", -1, "Mara would have it with one ticket fewer."),
    ("room", -3, "Mara would have it with 3 tickets fewer."),
    ("set_aside", 0, "Mara would have it if they had not declined or missed it."),
    ("pinned", 0, "Mara would have it if it were kept for them."),
)


@pytest.mark.parametrize(("rule", "by", "text"), WOULD)
def test_a_ticket_that_waits_shows_what_would_help(rule: Rule, by: int, text: str) -> None:
    """The smallest change of one specialist by which they would have it."""
    change = Change(specialist_id="mara", rule=rule, by=by, instead="mara")
    assert summary(decided(specialist_id=None, smallest_change=change), reader()) == text
    assert {rule for rule, _, _ in WOULD} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "by", "instead", "text"),
    [
        ("presence", 0, "mara", "Mara would have it if Jonas were not online."),
        ("presence", 0, None, "It would wait if Jonas were not online."),
        ("room", 1, "mara", "Mara would have it if Jonas had one more ticket."),
        ("room", 2, None, "It would wait if Jonas had 2 more tickets."),
    ],
)
def test_a_decision_shows_what_would_change_it(
    rule: Rule, by: int, instead: str | None, text: str
) -> None:
    """Who would have it instead of the chosen specialist; or that it would wait."""
    change = Change(specialist_id="jonas", rule=rule, by=by, instead=instead)
    lines = explain(decided(specialist_id="jonas", smallest_change=change), reader())
    assert [line.text for line in lines if line.kind == "why"][-1] == text


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("only", "Nobody else was free."),
        ("step", "Everyone else meets fewer of the requirements."),
        ("score", "Jonas had the lowest score."),
        ("idle_longest", "Equal scores: Jonas waited longest for a ticket."),
        ("id", "Equal in everything: Jonas comes first by id."),
        (None, "No specialist could take it."),
    ],
)
def test_a_decision_has_a_reason(by: Decided | None, text: str) -> None:
    """The rule that put the specialist before the others."""
    record = decided(specialist_id=by and "jonas", decided_by=by, smallest_change=None)
    assert summary(record, reader()) == text


def decided(**facts: object) -> AssignmentExplained:
    """Change the decision of a golden file."""
    record = golden("premium.assignment.explained.v1").model_copy(update=facts)
    assert isinstance(record, AssignmentExplained)
    return record


def test_every_sentence_comes_from_the_catalogue() -> None:
    """Babel finds each message in the code, and each sentence is one translated message."""
    folder = str(Path(shared.wording.__file__).parent)
    words = {"Message": None, "Plural": (1, 2)}
    found: set[str] = set()
    for _, _, message, _, _ in extract_from_dir(folder, keywords=words):
        found |= {message} if isinstance(message, str) else {*message}
    catalogue = _Recorded()
    bracketed = reader(catalogue)
    texts = [sentence(event, bracketed) for file in WRITTEN for event in variants(golden(file))]
    texts.append(unanswered_offers({"mara": 2, "jonas": 1}, bracketed))
    assert [text for text in texts if not (text.startswith("[") and text.endswith("]"))] == []
    assert catalogue.messages - found == set()
    assert len(catalogue.messages) > len(ABOUT_TICKETS)
