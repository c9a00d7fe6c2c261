"""Who is told what, in which words, and what becomes of a delivery that fails."""

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
    """Give Mara a ticket at noon."""
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
    """Use up half an hour of a standard email's hour."""
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
    """Break the guarantee of a standard email at noon."""
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
    """Call nobody back by noon."""
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
    """Take the breach back."""
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


def planned(event: Event, holder: str | None = None) -> Delivery | None:
    """Plan what is told of a fact that happened at noon."""
    return domain.plan(Envelope(FACT, "test", NOON, event), holder, now=NOON)


def delivery(event: Event, holder: str | None = None) -> Delivery:
    """Plan a delivery that there must be."""
    found = planned(event, holder)
    assert found is not None
    return found


def mail(event: Event, holder: str | None = None) -> Mail:
    """Render the mail that tells of a fact."""
    return domain.render(delivery(event, holder), link=LINK)


def test_a_specialist_is_told_of_an_assignment() -> None:
    """Who gets a ticket gets a mail."""
    told = delivery(assigned())
    assert (told.alert, told.recipient) == ("assignment", "specialist:mara")


def test_a_phone_ticket_is_a_callback_alert() -> None:
    """Who gets a phone ticket is asked to call now."""
    told = delivery(assigned(channel="phone"))
    assert (told.alert, told.recipient) == ("callback", "specialist:mara")


def test_a_warning_goes_to_the_specialist_with_the_ticket() -> None:
    """Who has the ticket is warned."""
    told = delivery(warned(), holder="mara")
    assert (told.alert, told.recipient) == ("warning", "specialist:mara")


def test_a_warning_about_nobodys_ticket_goes_to_the_team() -> None:
    """A ticket that nobody has is everybody's."""
    assert delivery(warned(), holder=None).recipient == "team"


@pytest.mark.parametrize(
    ("event", "alert"), [(breached(), "breach"), (missed(), "miss"), (retracted(), "retraction")]
)
def test_the_team_is_told_of_broken_promises(event: Event, alert: str) -> None:
    """Breaches, misses and retractions go to the team, whoever has the ticket."""
    told = delivery(event, holder="mara")
    assert (told.alert, told.recipient) == (alert, "team")


@pytest.mark.parametrize(
    "event",
    [
        AssignmentReleased(ticket_id=TICKET, specialist_id="mara", cause="responded"),
        ClockMet(**warned().model_dump(), met_at=NOON, in_time=True),
    ],
)
def test_nobody_is_told_of_good_news(event: Event) -> None:
    """A fact that asks nothing of anybody makes no mail."""
    assert planned(event, holder="mara") is None


def test_a_fact_is_told_once_to_each() -> None:
    """A delivery is named by the fact and the recipient, not by when it was planned."""
    fact = Envelope[Event](FACT, "test", NOON, warned())
    later = domain.plan(fact, "mara", now=NOON + minutes(5))
    assert later is not None
    assert later.id == delivery(warned(), holder="mara").id
    assert later.id != delivery(warned(), holder="noor").id


@pytest.mark.parametrize(
    ("event", "holder", "subject"),
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
def test_the_subject_is_enough_to_act(event: Event, holder: str | None, subject: str) -> None:
    """What, whose, and by when stand in the subject."""
    assert mail(event, holder).subject == subject


def test_fact_then_act_then_reason() -> None:
    """The text says what happened, what to do, and why the reader is told, in that order."""
    assert mail(warned(), holder="mara").text == (
        "50 % of the time is used: the first response for Northwind (standard email) is due"
        " 12:30 UTC, and nobody has answered.\n"
        "\n"
        f"Answer: {LINK}\n"
        "\n"
        "Why you: the ticket is yours.\n"
    )


def test_english_instead_is_said() -> None:
    """Who gets a ticket in a language that nobody speaks is told so."""
    text = mail(assigned(english_instead=True)).text
    assert "nobody on the roster speaks de, so answer in English" in text


def test_a_miss_is_not_called_a_breach() -> None:
    """An objective that is missed breaks no contract, and the mail says so."""
    assert "no breach of contract" in mail(missed()).text


def test_another_day_is_named() -> None:
    """A time that is not today's comes with its day."""
    assert mail(assigned(due_min=24 * 60)).subject.endswith("· due Tue 3 Mar 12:00 UTC")


def test_another_year_is_named() -> None:
    """A date of another year comes with its year."""
    assert mail(assigned(due_min=-100 * 24 * 60)).subject.endswith(
        "· was due Sat 22 Nov 2025 12:00 UTC, 2400 h 0 min over"
    )


@pytest.mark.parametrize(
    ("event", "holder", "text"),
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
def test_what_is_over_was_due(event: Event, holder: str | None, text: str) -> None:
    """A due time of the past is said to be past, and by how much."""
    assert text in mail(event, holder).text
    assert mail(event, holder).subject.endswith("· was due 11:51 UTC, 9 min over")


@pytest.mark.parametrize(
    ("kind", "words"),
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
def test_the_promise_is_named_by_its_kind(kind: str, words: str) -> None:
    """What was not done is what was promised."""
    assert words in mail(missed().model_copy(update={"kind": kind})).text


@given(st.text())
def test_nobody_breaks_a_line_in_a_subject(account_id: str) -> None:
    """Whatever an account is called, a subject stays one line."""
    subject = mail(assigned(account_id=account_id)).subject
    assert subject.splitlines() == [subject]
    assert "\x00" not in subject


def test_what_was_sent_is_said() -> None:
    """A mail that the server took is announced with the number of tries."""
    verdict = domain.judge(delivery(breached()), Sent())
    assert domain.announcement_of(verdict) == NotificationSent(
        ticket_id=TICKET,
        delivery_id=verdict.delivery.id,
        alert="breach",
        recipient="team",
        medium="mail",
        attempts=1,
    )


def test_what_was_refused_has_failed() -> None:
    """A refusal is for good, and is announced with the server's reason."""
    fact = domain.announcement_of(domain.judge(delivery(breached()), Refused("550 no such user")))
    assert isinstance(fact, NotificationFailed)
    assert fact.reason == "550 no such user"


def test_what_was_deferred_is_tried_again() -> None:
    """A delivery that may go well later stays, and nothing is announced yet."""
    verdict = domain.judge(delivery(breached()), Deferred("451 busy"))
    assert (verdict.state, verdict.attempts, verdict.reason) == ("pending", 1, "451 busy")
    assert domain.announcement_of(verdict) is None


def test_tries_end() -> None:
    """After twelve tries in an hour or so a delivery has failed."""
    tried = delivery(breached())
    waited = timedelta()
    for _ in range(domain.TRIES_MAX - 1):
        verdict = domain.judge(tried, Deferred("451 busy"))
        assert verdict.state == "pending"
        waited += verdict.retry_after
        tried = Delivery(
            tried.id, tried.alert, None, tried.fact, None, NOON, attempts=verdict.attempts
        )
    last = domain.judge(tried, Deferred("451 busy"))
    assert (last.state, last.attempts) == ("failed", 12)
    assert last.reason == "gave up, last: 451 busy"
    assert timedelta(minutes=45) < waited < timedelta(minutes=90)


@given(st.uuids(), st.integers(1, domain.TRIES_MAX - 1))
def test_waits_double_and_are_spread(delivery_id: UUID, attempts: int) -> None:
    """Each wait is twice the last one, a quarter more or less."""
    wait = domain.retry_after(attempts, delivery_id)
    assert timedelta(seconds=0.75 * 2**attempts) <= wait < timedelta(seconds=1.25 * 2**attempts)


def test_no_address_is_repeated() -> None:
    """A server's answer may name an address; what is announced does not."""
    refusal = Refused("550 5.1.1 <mara.k@support.example>: user\r\nunknown")
    verdict = domain.judge(delivery(breached()), refusal)
    assert verdict.reason == "550 5.1.1 <(address)>: user unknown"
