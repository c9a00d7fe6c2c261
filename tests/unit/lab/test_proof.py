"""The verification finds lost and doubled facts, and is not misled by copies."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord

from lab.proof.due_facts import due_facts
from lab.proof.published import PublishedFacts
from lab.proof.tables import ClockRow, DatabaseState, RoutedTicket
from lab.proof.verdict import Verdict, fact_id, verify
from shared.events import (
    AssignmentReleased,
    ClockMet,
    ClockStarted,
    Envelope,
    Event,
    LaterFact,
    NotificationSent,
    PromiseBreached,
    SupportRequest,
    TicketAccepted,
    TicketAssigned,
    TicketResponded,
    ticket_id_of,
)
from shared.events.codec import headers_of, value_of
from shared.events.requests import FactType

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

REQUEST = SupportRequest(
    source="desk",
    external_id="1",
    account_id="a",
    requester_id="r",
    role="super_admin",
    channel="email",
    language="en",
    subject="",
    occurred_at=NOON,
)
ANSWER = LaterFact(source="desk", external_id="1", type="responded", occurred_at=NOON + 2 * HOUR)
TICKET = REQUEST.ticket_id
ABOUT = {
    "ticket_id": TICKET,
    "account_id": "a",
    "channel": "email",
    "severity": "standard",
    "kind": "first_response",
    "promise_class": "guarantee",
}


def test_every_fact_type_can_be_verified() -> None:
    """Each type of later fact has its own event type."""
    kinds = get_args(FactType.__value__)
    needed = {"reclassified": {"severity": "standard"}, "merged": {"into": "2"}}
    common = {**ANSWER.model_dump(exclude_none=True), "event_id": "1"}
    facts = [common | {"type": kind} | needed.get(kind, {}) for kind in kinds]
    assert len({fact_id(LaterFact.model_validate(fact)) for fact in facts}) == len(kinds)


def caused(cause: UUID, event: Event) -> Envelope[Event]:
    """Wrap an event as a service would."""
    return Envelope.caused_by(cause, event, source="test", time=NOON)


def uuid(number: int) -> UUID:
    """Return an id for a number."""
    return UUID(int=number)


def assigned(cause: UUID, to: str = "mara") -> Envelope[Event]:
    """Assign the ticket."""
    return caused(
        cause,
        TicketAssigned(
            ticket_id=TICKET,
            specialist_id=to,
            account_id="a",
            channel="email",
            severity="standard",
            language="en",
            english_instead=False,
            due_at=NOON + HOUR,
            waited_ms=0,
        ),
    )


def breached(cause: UUID) -> Envelope[Event]:
    """Break the promise."""
    return caused(cause, PromiseBreached.model_validate({**ABOUT, "due_at": NOON + HOUR}))


def sent(cause: UUID, delivery_id: UUID, attempts: int = 1) -> Envelope[Event]:
    """Report that a mail was sent."""
    return caused(
        cause,
        NotificationSent(
            ticket_id=TICKET,
            delivery_id=delivery_id,
            alert="assignment",
            recipient="team",
            medium="mail",
            attempts=attempts,
        ),
    )


ACCEPTED = caused(
    REQUEST.document_id,
    TicketAccepted(
        ticket_id=TICKET,
        source="desk",
        external_id="1",
        account_id="a",
        requester_id="r",
        role="super_admin",
        channel="email",
        severity="standard",
        claimed_severity="standard",
        language="en",
        time_zone="UTC",
        policy="test",
        promises=(),
    ),
)
RESPONDED = caused(ANSWER.document_id, TicketResponded(ticket_id=TICKET))
STARTED = caused(ACCEPTED.id, ClockStarted.model_validate({**ABOUT, "due_at": NOON + HOUR}))
BREACHED = breached(uuid(1))
MET = caused(
    RESPONDED.id,
    ClockMet.model_validate(
        {**ABOUT, "due_at": NOON + HOUR, "met_at": NOON + 2 * HOUR, "in_time": False}
    ),
)
RELEASED = caused(
    RESPONDED.id, AssignmentReleased(ticket_id=TICKET, specialist_id="mara", cause="responded")
)
RUN = (
    ACCEPTED,
    RESPONDED,
    assigned(uuid(2)),
    RELEASED,
    STARTED,
    BREACHED,
    MET,
    sent(uuid(3), uuid(10)),
    sent(uuid(4), uuid(11)),
)
BOOKS = DatabaseState(
    tickets=frozenset({TICKET}),
    actions=[],
    routed=(RoutedTicket(TICKET, 1, waiting=False),),
    clocks=(ClockRow(TICKET, "first_response", "met", "breached", BREACHED.id),),
    deliveries={uuid(10): "sent", uuid(11): "sent"},
    dead_letters=(),
)


def record(envelope: Envelope[Event]) -> ConsumerRecord:
    """Return an event as it is read from Kafka."""
    value = value_of(envelope.event)
    return ConsumerRecord(
        topic=envelope.event.topic,
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=envelope.event.subject.encode(),
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=tuple(headers_of(envelope)),
    )


def wire_of(envelopes: Sequence[Envelope[Event]]) -> PublishedFacts:
    """Read the events."""
    published = PublishedFacts()
    for envelope in envelopes:
        published.add(record(envelope))
    return published


def verdict(envelopes: Sequence[Envelope[Event]], state: DatabaseState = BOOKS) -> Verdict:
    """Verify a run of two documents."""
    return verify((REQUEST, ANSWER), wire_of(envelopes), state)


def test_a_whole_run_has_no_fault() -> None:
    """A run without losses has no fault, even with copies."""
    assert verdict([*RUN, *RUN]) == Verdict([], [])


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (ACCEPTED, "premium.ticket.accepted.v1 of desk 1 was not published"),
        (RESPONDED, "premium.ticket.responded.v1 of desk 1 was not published"),
        (RUN[2], f"ticket {TICKET} was assigned 1x, published 0x"),
        (STARTED, f"the start of clock ('{TICKET}', 'first_response') was not published"),
        (MET, f"that clock ('{TICKET}', 'first_response') was met was not published"),
        (BREACHED, f"that clock ('{TICKET}', 'first_response') was breached was not published"),
        (RUN[-1], f"delivery {uuid(11)} is sent, but its outcome was not published"),
    ],
)
def test_a_missing_fact_is_lost(missing: Envelope[Event], line: str) -> None:
    """What a document or a database requires is published, or reported."""
    assert verdict([one for one in RUN if one is not missing]).lost == [line]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (replace(BOOKS, tickets=frozenset()), f"ticket {TICKET} is not in the database of intake"),
        (replace(BOOKS, routed=()), f"ticket {TICKET} is not in the database of router"),
        (replace(BOOKS, clocks=()), f"ticket {TICKET} is not in the database of sla-monitor"),
        (
            replace(BOOKS, deliveries={uuid(10): "sent"}),
            "2 facts need deliveries, but 1 were planned",
        ),
        (
            replace(BOOKS, deliveries={uuid(10): "sent", uuid(11): "pending"}),
            f"delivery {uuid(11)} is pending, but its outcome was not published",
        ),
    ],
)
def test_a_missing_row_is_lost(state: DatabaseState, line: str) -> None:
    """What is published is in the databases, or reported."""
    assert verdict(RUN, state).lost == [line]


@pytest.mark.parametrize(
    ("second", "line"),
    [
        (breached(uuid(90)), f"clock ('{TICKET}', 'first_response') was broken 2x"),
        (
            sent(uuid(91), uuid(10)),
            f"delivery {uuid(10)} of ticket {TICKET} was published under 2 ids",
        ),
        (
            caused(uuid(92), ACCEPTED.event),
            f"premium.ticket.accepted.v1  of ticket {TICKET} was published under 2 ids",
        ),
    ],
)
def test_a_second_fact_of_one_cause_is_doubled(second: Envelope[Event], line: str) -> None:
    """Two ids for one cause are two facts, even if their contents are equal."""
    assert verdict([*RUN, second]).doubled == [line]


def test_a_ticket_is_assigned_to_one_specialist_at_a_time() -> None:
    """An assignment while another specialist has the ticket is doubled."""
    run = [one for one in RUN if one is not RELEASED]
    state = replace(BOOKS, routed=(RoutedTicket(TICKET, 2, waiting=False),))
    second = assigned(uuid(93), to="jonas")
    assert (
        f"ticket {TICKET} was assigned while mara had it" in verdict([*run, second], state).doubled
    )


def test_two_contents_under_one_id_contradict() -> None:
    """A copy has the same content."""
    other = Envelope(BREACHED.id, "test", NOON + HOUR, BREACHED.event)
    found = verdict([*RUN, other]).doubled
    assert found == [f"premium.promise.breached.v1 {BREACHED.id} has two contents"]


def test_the_digest_depends_on_the_set_of_facts_alone() -> None:
    """Order, copies and numbers of attempts do not change it; a missing fact does."""
    digest = wire_of(RUN).digest
    assert wire_of([*reversed(RUN), *RUN]).digest == digest
    assert wire_of([*RUN[:-1], sent(uuid(4), uuid(11), attempts=3)]).digest == digest
    assert wire_of(RUN[:-1]).digest != digest


def test_dead_letters_are_counted_by_reason() -> None:
    """A dead letter is no fact, and is not lost either."""
    published = PublishedFacts()
    marks = ("topic", "partition", "offset", "service", "reason", "detail", "attempts")
    values = (b"inbound.v1", b"0", b"7", b"intake", b"bad_json", b"", b"1")
    dead_letters = replace(
        record(RESPONDED),
        topic="intake.dead-letters.v1",
        value=b"{",
        headers=tuple((f"dl-{mark}", value) for mark, value in zip(marks, values, strict=True)),
    )
    published.add(dead_letters)
    assert published.dead_letters == {"intake.dead-letters.v1: bad_json": 1}
    assert json.dumps(published.dead_letters)


def merging(name: str, into: str) -> LaterFact:
    """Merge one request into another."""
    return LaterFact.model_validate(
        {"source": "s", "external_id": name, "type": "merged", "into": into, "occurred_at": NOON}
    )


def test_a_merge_without_effect_need_not_be_published() -> None:
    """These are merges into an unknown ticket or itself, second merges, and cycles."""
    tickets = [ticket_id_of("s", name) for name in "ABC"]
    documents = [merging("A", "B"), merging("B", "C"), merging("C", "A"), merging("A", "C")]
    assert (
        list(due_facts([*documents, merging("C", "X"), merging("C", "C")], tickets))
        == documents[:2]
    )


def test_a_reply_after_a_closing_may_be_rejected() -> None:
    """Its receipt reports the outcome; a reply before the closing must be published."""
    documents = [
        LaterFact.model_validate(
            {"source": "s", "external_id": "A", "type": kind, "occurred_at": NOON + at * HOUR}
        )
        for kind, at in (("customer_replied", 1), ("closed", 2), ("customer_replied", 3))
    ]
    assert list(due_facts(documents, [])) == documents[:2]
