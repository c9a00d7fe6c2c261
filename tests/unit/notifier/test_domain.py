"""Recipients and texts of notifications, and the state of a delivery after each attempt."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import domain
from notifier.domain import Deferred, Delivery, Mail, Refused, Sent
from shared.events import (
    AssignmentReleased,
    CallbackReminded,
    ClockMet,
    ClockWarned,
    Envelope,
    Event,
    NotificationFailed,
    NotificationSent,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    TicketAssigned,
)
from shared.sla.promises import Channel, Severity
from shared.testing.builders import NOON, minutes

TICKET = UUID("11111111-1111-5111-8111-111111111111")
FACT = UUID("22222222-2222-5222-8222-222222222222")
LINK = "https://support.example/t/1"


def assigned(
    *,
    channel: Channel = "email",
    severity: Severity = "standard",
    account_id: str = "Northwind",
    english_instead: bool = False,
    due_min: float | None = 60,
    **more: object,
) -> TicketAssigned:
    """Assign a ticket to Mara at noon."""
    plain: dict[str, object] = {
        "ticket_id": TICKET,
        "specialist_id": "mara",
        "account_id": account_id,
        "channel": channel,
        "severity": severity,
        "language": "de",
        "english_instead": english_instead,
        "due_at": None if due_min is None else NOON + minutes(due_min),
        "waited_ms": 90_000,
    }
    return TicketAssigned.model_validate({**plain, **more})


def warned(percent: int = 50) -> ClockWarned:
    """Warn of a standard email's promise 30 min before it is due."""
    return ClockWarned(
        ticket_id=TICKET,
        account_id="Northwind",
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        percent=percent,
        due_at=NOON + minutes(30),
    )


def breached() -> PromiseBreached:
    """Breach the guarantee of a standard email at noon."""
    return PromiseBreached(
        ticket_id=TICKET,
        account_id="Northwind",
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        due_at=NOON,
    )


def missed() -> PromiseMissed:
    """Miss the objective of a callback at noon."""
    return PromiseMissed(
        ticket_id=TICKET,
        account_id="Northwind",
        channel="phone",
        severity="standard",
        kind="callback",
        promise_class="objective",
        due_at=NOON,
    )


def retracted() -> PromiseRetracted:
    """Retract the breach."""
    return PromiseRetracted(
        ticket_id=TICKET,
        account_id="Northwind",
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        retracted="breached",
        retracted_id=FACT,
    )


def planned(event: Event, assignee: str | None = None) -> Delivery | None:
    """Plan the delivery of an event at noon."""
    return domain.plan(Envelope(FACT, "test", NOON, event), assignee, now=NOON)


def delivery(event: Event, assignee: str | None = None) -> Delivery:
    """Plan the delivery of an event that must cause one."""
    found = planned(event, assignee)
    assert found is not None
    return found


def mail(event: Event, assignee: str | None = None) -> Mail:
    """Write the mail about an event."""
    return domain.render(delivery(event, assignee), link=LINK)


def test_an_assignment_notifies_the_specialist() -> None:
    """The specialist who gets a ticket gets a mail."""
    made = delivery(assigned())
    assert (made.alert, made.recipient) == ("assignment", "specialist:mara")


def test_a_phone_ticket_is_a_callback_alert() -> None:
    """The specialist who gets a phone ticket is asked to call now."""
    made = delivery(assigned(channel="phone"))
    assert (made.alert, made.recipient) == ("callback", "specialist:mara")


def test_a_warning_goes_to_the_specialist_with_the_ticket() -> None:
    """A warning goes to the specialist who has the ticket."""
    made = delivery(warned(), assignee="mara")
    assert (made.alert, made.recipient) == ("warning", "specialist:mara")


def test_a_warning_about_an_unassigned_ticket_goes_to_the_team() -> None:
    """Without a specialist, the team is the recipient."""
    assert delivery(warned(), assignee=None).recipient == "team"


@pytest.mark.parametrize(
    ("event", "alert"), [(breached(), "breach"), (missed(), "miss"), (retracted(), "retraction")]
)
def test_the_team_is_notified_of_broken_promises(event: Event, alert: str) -> None:
    """Breaches, misses and retractions go to the team, even if a specialist has the ticket."""
    made = delivery(event, assignee="mara")
    assert (made.alert, made.recipient) == (alert, "team")


@pytest.mark.parametrize(
    "event",
    [
        AssignmentReleased(ticket_id=TICKET, specialist_id="mara", cause="responded"),
        ClockMet(**warned().model_dump(), met_at=NOON, in_time=True),
    ],
)
def test_an_event_that_needs_no_action_causes_no_mail(event: Event) -> None:
    """No delivery is planned for a release or a met promise."""
    assert planned(event, assignee="mara") is None


def test_an_event_notifies_each_recipient_once() -> None:
    """A delivery's id depends on the event and the recipient, not on the time of planning."""
    fact = Envelope[Event](FACT, "test", NOON, warned())
    later = domain.plan(fact, "mara", now=NOON + minutes(5))
    assert later is not None
    assert later.id == delivery(warned(), assignee="mara").id
    assert later.id != delivery(warned(), assignee="noor").id


@pytest.mark.parametrize(
    ("event", "assignee", "subject"),
    [
        (assigned(), None, "Standard email · Northwind · due 13:00 UTC"),
        (
            assigned(severity="business_critical", due_min=30),
            None,
            "Business-critical email · Northwind · due 12:30 UTC",
        ),
        (assigned(channel="chat", due_min=1), None, "Chat · Northwind · due 12:01 UTC"),
        (
            assigned(due_min=None, promise="first_response"),
            None,
            "Standard email · Northwind · paused: nothing is due now",
        ),
        (assigned(due_min=None), None, "Standard email · Northwind · no due time is promised"),
        (
            assigned(promise="next_response", after_reply=True),
            None,
            "Customer replied · Standard email · Northwind · due 13:00 UTC",
        ),
        (
            assigned(channel="phone", due_min=5),
            None,
            "Call back now · Northwind · due 12:05 UTC",
        ),
        (
            CallbackReminded(
                ticket_id=TICKET,
                specialist_id="mara",
                account_id="Northwind",
                attempt=2,
                due_at=NOON + timedelta(minutes=5),
            ),
            None,
            "Call again now · Northwind · due 12:05 UTC",
        ),
        (warned(), "mara", "50 % used · standard email · Northwind · due 12:30 UTC"),
        (
            warned(80),
            None,
            "80 % used, nobody has it · standard email · Northwind · due 12:30 UTC",
        ),
        (breached(), None, "Promise broken · Northwind · standard email · was due 12:00 UTC"),
        (missed(), None, "Objective missed · Northwind · callback · was due 12:00 UTC"),
        (retracted(), None, "No breach after all · Northwind · standard email"),
    ],
)
def test_the_subject_is_enough_to_act(event: Event, assignee: str | None, subject: str) -> None:
    """The subject names the ticket's kind, the account and the due time."""
    assert mail(event, assignee).subject == subject


def test_the_text_has_event_action_and_reason() -> None:
    """In that order: what happened, what to do, and why the mail was sent to this reader."""
    assert mail(warned(), assignee="mara").text == (
        "50 % of the time is used: the first response for Northwind (standard email) is due"
        " 12:30 UTC, and nobody has answered.\n"
        "\n"
        f"Answer: {LINK}\n"
        "\n"
        "Why you: the ticket is yours.\n"
    )


def test_a_mail_asks_for_an_answer_in_english() -> None:
    """When no specialist speaks the ticket's language, the mail asks for an answer in English."""
    text = mail(assigned(english_instead=True)).text
    assert "nobody on the roster speaks de, so answer in English" in text


def test_a_miss_is_not_called_a_breach() -> None:
    """The mail about a missed objective states that no contract was breached."""
    assert "no breach of contract" in mail(missed()).text


def test_another_day_is_named() -> None:
    """A due time on another day is written with its date."""
    assert mail(assigned(due_min=24 * 60)).subject.endswith("· due Tue 3 Mar 12:00 UTC")


def test_another_year_is_named() -> None:
    """A due time in another year is written with its year."""
    assert mail(assigned(due_min=-100 * 24 * 60)).subject.endswith(
        "· was due Sat 22 Nov 2025 12:00 UTC, 2400 h 0 min over"
    )


@pytest.mark.parametrize(
    ("event", "assignee", "text"),
    [
        (assigned(due_min=-9), None, "The first response: was due 11:51 UTC, 9 min over."),
        (
            assigned(channel="phone", due_min=-9),
            None,
            "Northwind waits for a call: was due 11:51 UTC, 9 min over.",
        ),
        (
            warned().model_copy(update={"due_at": NOON - minutes(9)}),
            "mara",
            "the first response for Northwind (standard email) was due 11:51 UTC, 9 min over,",
        ),
    ],
)
def test_an_overdue_promise_was_due(event: Event, assignee: str | None, text: str) -> None:
    """A due time in the past is written in the past tense, with how long ago it was."""
    assert text in mail(event, assignee).text
    assert mail(event, assignee).subject.endswith("· was due 11:51 UTC, 9 min over")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "first_response",
            "the first response (callback) was due 12:00 UTC, and nobody has answered.",
        ),
        (
            "next_response",
            "the next response (callback) was due 12:00 UTC, and nobody has answered",
        ),
        ("resolution", "the solution (callback) was due 12:00 UTC, and it is not solved."),
        ("callback", "the callback (callback) was due 12:00 UTC, and nobody has called."),
        ("join", "a specialist in the chat (callback) was due 12:00 UTC, and nobody has joined."),
    ],
)
def test_the_promise_is_named_by_its_kind(kind: str, text: str) -> None:
    """The mail about a miss names the promise's kind and what was not done."""
    assert text in mail(missed().model_copy(update={"kind": kind})).text


@given(st.text())
def test_a_subject_is_one_line(account_id: str) -> None:
    """Line breaks in an account's name do not break the subject."""
    subject = mail(assigned(account_id=account_id)).subject
    assert subject.splitlines() == [subject]
    assert "\x00" not in subject


def test_a_sent_mail_is_announced() -> None:
    """The event has the number of attempts."""
    result = domain.result_of(delivery(breached()), Sent())
    assert domain.announcement_of(result) == NotificationSent(
        ticket_id=TICKET,
        delivery_id=result.delivery.id,
        alert="breach",
        recipient="team",
        medium="mail",
        attempts=1,
    )


def test_a_refused_mail_has_failed() -> None:
    """A refusal is permanent; the event has the mail server's reason."""
    fact = domain.announcement_of(
        domain.result_of(delivery(breached()), Refused("550 no such user"))
    )
    assert isinstance(fact, NotificationFailed)
    assert fact.reason == "550 no such user"


def test_a_deferred_mail_is_tried_again() -> None:
    """The delivery stays pending, and nothing is announced yet."""
    result = domain.result_of(delivery(breached()), Deferred("451 busy"))
    assert (result.state, result.attempts, result.reason) == ("pending", 1, "451 busy")
    assert domain.announcement_of(result) is None


def test_attempts_are_limited() -> None:
    """After twelve attempts in about an hour the delivery has failed."""
    tried = delivery(breached())
    waited = timedelta()
    for _ in range(domain.ATTEMPTS_MAX - 1):
        result = domain.result_of(tried, Deferred("451 busy"))
        assert result.state == "pending"
        waited += result.retry_after
        tried = Delivery(
            tried.id, tried.alert, None, tried.fact, None, NOON, attempts=result.attempts
        )
    last = domain.result_of(tried, Deferred("451 busy"))
    assert (last.state, last.attempts) == ("failed", 12)
    assert last.reason == "gave up, last: 451 busy"
    assert timedelta(minutes=45) < waited < timedelta(minutes=90)


@given(st.uuids(), st.integers(1, domain.ATTEMPTS_MAX - 1))
def test_waits_double_and_vary(delivery_id: UUID, attempts: int) -> None:
    """Each wait is twice the one before, give or take 25 %."""
    wait = domain.retry_after(attempts, delivery_id)
    assert timedelta(seconds=0.75 * 2**attempts) <= wait < timedelta(seconds=1.25 * 2**attempts)


def test_reasons_contain_no_address() -> None:
    """A mail address in the mail server's reply is removed from the announced reason."""
    refusal = Refused("550 5.1.1 <mara.k@support.example>: user\r\nunknown")
    result = domain.result_of(delivery(breached()), refusal)
    assert result.reason == "550 5.1.1 <(address)>: user unknown"
