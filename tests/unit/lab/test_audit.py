"""The demo's proof passes a correct run, and reports each fault of another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest

from lab.demo.audit import Evidence, Finding, audit
from lab.demo.day import Message
from lab.demo.sent import SentMessages
from lab.proof.published import Published, PublishedFacts
from lab.proof.tables import ClockRow, DatabaseState, RecordedAction, RoutedTicket
from lab.proof.verdict import fact_id
from shared.events import (
    AssignmentReleased,
    ClockMet,
    ClockStarted,
    Event,
    LaterFact,
    NotificationSent,
    OfferAccepted,
    OfferExpired,
    PromiseBreached,
    PromiseRetracted,
    SeverityConfirmed,
    SupportRequest,
    TicketAccepted,
    TicketAssigned,
    TicketOffered,
    TicketResponded,
)
from shared.platform.dead_letters import DeadLetter

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
REQUEST = SupportRequest(
    source="test",
    external_id="1",
    account_id="alder-finch",
    requester_id="admin-1",
    role="super_admin",
    channel="email",
    language="en",
    subject="A question",
    occurred_at=NOON,
)
ANSWER = LaterFact(
    source="test", external_id="1", type="responded", occurred_at=NOON + timedelta(minutes=5)
)
TICKET = REQUEST.ticket_id
DELIVERY = UUID(int=7)
BAD = Message(NOON, "kafka", b"bad", b"{", reason="bad_json")


def published(event: type[Event], name: UUID | None = None, **about: str) -> Published:
    """Return a published fact about the ticket."""
    name = name or uuid5(TICKET, f"{event.type}{about}")
    return Published(event.topic, name, event.type, str(TICKET), b"", about)


@pytest.fixture
def evidence() -> Evidence:
    """Return a correct run: one request, answered in time, and one bad record."""
    sent = SentMessages()
    sent.add(REQUEST)
    sent.add(ANSWER)
    sent.bad_messages.append(BAD)
    facts = [
        published(TicketAccepted, fact_id(REQUEST)),
        published(TicketResponded, fact_id(ANSWER)),
        published(TicketOffered, specialist_id="mara", offer_id="1"),
        published(OfferAccepted, specialist_id="mara", offer_id="1"),
        published(TicketAssigned, specialist_id="mara"),
        published(AssignmentReleased, specialist_id="mara"),
        published(ClockStarted, kind="first_response"),
        published(ClockMet, kind="first_response"),
        published(NotificationSent, delivery_id=str(DELIVERY)),
    ]
    letter = DeadLetter(1, "inbound.v1", 0, 0, "bad_json", "not JSON", BAD.key, BAD.value, [])
    return Evidence(
        sent=sent,
        published=PublishedFacts(facts={fact.id: fact for fact in facts}),
        state=DatabaseState(
            tickets=frozenset({TICKET}),
            routed=[RoutedTicket(TICKET, 1, waiting=False)],
            actions=[RecordedAction(TICKET, "accept", "mara", NOON, None)],
            clocks=[ClockRow(TICKET, "first_response", "met", None, None)],
            deliveries={DELIVERY: "sent"},
            dead_letters=[letter],
        ),
        mails=frozenset({DELIVERY.hex}),
        unexpected_answers=[],
    )


def add(evidence: Evidence, fact: Published) -> None:
    """Publish one more fact."""
    evidence.published.facts[fact.id] = fact


def dead_letters(evidence: Evidence) -> list[DeadLetter]:
    """Return the list of dead letters."""
    assert isinstance(evidence.state.dead_letters, list)
    return evidence.state.dead_letters


def done(evidence: Evidence) -> list[RecordedAction]:
    """Return the list of actions."""
    assert isinstance(evidence.state.actions, list)
    return evidence.state.actions


def lose(evidence: Evidence, kind: type[Event]) -> None:
    """Remove the facts of one type."""
    for fact in list(evidence.published.of_type(kind.type)):
        del evidence.published.facts[fact.id]


def faulty(findings: list[Finding]) -> set[str]:
    """Return the names of the findings with faults."""
    return {finding.what for finding in findings if finding.faults}


def test_a_correct_run_has_no_faults(evidence: Evidence) -> None:
    """Every finding passes."""
    assert faulty(audit(evidence)) == set()


BREACH = published(PromiseBreached, kind="first_response", due_at="13:00")

FAULTS: dict[str, tuple[Callable[[Evidence], object], str]] = {
    "a request is lost": (lambda e: lose(e, TicketAccepted), "documents"),
    "a fact is lost": (lambda e: lose(e, TicketResponded), "documents"),
    "a fact is doubled": (lambda e: add(e, published(TicketResponded)), "documents"),
    "a bad message is no dead letter": (lambda e: dead_letters(e).clear(), "bad messages"),
    "a bad message is two dead letters": (
        lambda e: dead_letters(e).extend(dead_letters(e)),
        "bad messages",
    ),
    "a promise is broken": (lambda e: add(e, BREACH), "promises"),
    "an unpublished breach is retracted": (
        lambda e: add(e, published(PromiseRetracted, retracted_id="7", kind="first_response")),
        "retractions",
    ),
    "a ticket is assigned twice": (
        lambda e: add(e, published(TicketAssigned, specialist_id="tom")),
        "assignments",
    ),
    "an offer has no end": (lambda e: lose(e, OfferAccepted), "offers"),
    "an offer has two ends": (
        lambda e: add(e, published(OfferExpired, specialist_id="mara", offer_id="1")),
        "offers",
    ),
    "an action is not published": (lambda e: done(e).append(done(e)[0]), "commands"),
    "a published action did not happen": (
        lambda e: add(e, published(SeverityConfirmed)),
        "commands",
    ),
    "a ticket is never released": (lambda e: lose(e, AssignmentReleased), "assignments"),
    "a mail has no result": (lambda e: lose(e, NotificationSent), "mails"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_reported(evidence: Evidence, fault: str) -> None:
    """One fault fails one finding, and those that depend on it."""
    harm, named = FAULTS[fault]
    harm(evidence)
    assert named in faulty(audit(evidence))


def test_a_retracted_breach_counts_as_none(evidence: Evidence) -> None:
    """A breach and its retraction cancel each other."""
    add(evidence, BREACH)
    add(evidence, published(PromiseRetracted, kind="first_response", retracted_id=str(BREACH.id)))
    found = {finding.what: finding for finding in audit(evidence)}
    assert found["promises"].faults == []
    assert found["retractions"].number == "1"


def test_a_mail_that_never_came_is_missing(evidence: Evidence) -> None:
    """A published success is not enough: the mail must be in the sink."""
    lost = Evidence(
        evidence.sent, evidence.published, evidence.state, frozenset(), evidence.unexpected_answers
    )
    assert faulty(audit(lost)) == {"mails"}
