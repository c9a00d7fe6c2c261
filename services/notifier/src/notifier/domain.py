"""Which event notifies whom, the text of each mail, and a delivery's state after an attempt."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never
from uuid import UUID, uuid5

from notifier.times import at, due_phrase, span
from shared.events import (
    AlertKind,
    CallbackReminded,
    ClockFact,
    ClockWarned,
    Envelope,
    Event,
    NotificationFact,
    NotificationFailed,
    NotificationSent,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    Retraction,
    TicketAssigned,
)
from shared.sla.promises import PromiseKind

__all__ = [
    "ATTEMPTS_MAX",
    "NOTIFIABLE",
    "Deferred",
    "Delivery",
    "DeliveryOutcome",
    "DeliveryResult",
    "Mail",
    "Notifiable",
    "Refused",
    "Sent",
    "announcement_of",
    "one_line",
    "plan",
    "render",
    "result_of",
    "retry_after",
]

type Notifiable = (
    TicketAssigned
    | CallbackReminded
    | ClockWarned
    | PromiseBreached
    | PromiseMissed
    | PromiseRetracted
)
"""The events that cause a notification."""

NOTIFIABLE: Final[dict[str, type[Notifiable]]] = {
    event.type: event
    for event in (
        TicketAssigned,
        CallbackReminded,
        ClockWarned,
        PromiseBreached,
        PromiseMissed,
        PromiseRetracted,
    )
}
ATTEMPTS_MAX: Final = 12
"""With the waits of `retry_after` between them, the attempts span about 70 minutes."""
_SPREAD: Final = 0.25
_REASON_MAX: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PROMISED: Final[dict[PromiseKind, str]] = {
    "first_response": "the first response",
    "next_response": "the next response",
    "resolution": "the solution",
    "callback": "the callback",
    "join": "a specialist in the chat",
}
_OWED: Final[dict[PromiseKind, str]] = {
    "first_response": "nobody has answered",
    "next_response": "nobody has answered the reply",
    "resolution": "it is not solved",
    "callback": "nobody has called",
    "join": "nobody has joined",
}
_WHY_NOT: Final[dict[Retraction, str]] = {
    "answered": "was in time",
    "moved": "is due later than was known",
    "paused": "was not due while the ticket waited",
    "cancelled": "was not owed any more",
    "exception": "is no guarantee: a declared exception covers it",
}
_ADDRESS: Final = re.compile(r"[^\s<>@:]+@[^\s<>@:]+")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to one recipient; ``specialist_id`` is None for the team."""

    id: UUID
    alert: AlertKind
    specialist_id: str | None
    fact: Notifiable
    traceparent: str | None
    planned_at: datetime
    attempts: int = 0

    @property
    def recipient(self) -> str:
        """The recipient as events and logs name it: ``team`` or ``specialist:ID``."""
        return _recipient(self.specialist_id)


@dataclass(frozen=True, slots=True)
class Mail:
    """The subject and text of a mail; a reader can act on the subject alone."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The mail server accepted the mail."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The mail cannot be delivered; another attempt would not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The mail was not delivered; a later attempt may succeed."""

    reason: str


type DeliveryOutcome = Sent | Refused | Deferred


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The state after an attempt; if it is pending, ``retry_after`` is the wait until the next."""

    delivery: Delivery
    state: Literal["sent", "failed", "pending"]
    attempts: int
    reason: str | None = None
    retry_after: timedelta = timedelta()


def plan(envelope: Envelope[Event], assignee: str | None, *, now: datetime) -> Delivery | None:
    """Return the delivery that an event causes; None if the event notifies no recipient.

    ``assignee`` is the specialist who has the ticket, to whom a warning goes; with None it goes to
    the team.
    """
    alert: AlertKind
    specialist_id: str | None
    match envelope.event:
        case TicketAssigned() as fact:
            alert = "callback" if fact.channel == "phone" else "assignment"
            specialist_id = fact.specialist_id
        case CallbackReminded() as fact:
            alert, specialist_id = "callback", fact.specialist_id
        case ClockWarned() as fact:
            alert, specialist_id = "warning", assignee
        case PromiseBreached() as fact:
            alert, specialist_id = "breach", None
        case PromiseMissed() as fact:
            alert, specialist_id = "miss", None
        case PromiseRetracted() as fact:
            alert, specialist_id = "retraction", None
        case _:
            return None
    return _delivery(envelope, fact, alert, specialist_id, now)


def _delivery(
    envelope: Envelope[Event],
    fact: Notifiable,
    alert: AlertKind,
    specialist_id: str | None,
    now: datetime,
) -> Delivery:
    delivery_id = uuid5(envelope.id, _recipient(specialist_id))
    return Delivery(delivery_id, alert, specialist_id, fact, envelope.traceparent, now)


def _recipient(specialist_id: str | None) -> str:
    return "team" if specialist_id is None else f"specialist:{specialist_id}"


def result_of(delivery: Delivery, outcome: DeliveryOutcome) -> DeliveryResult:
    """Return the state of a delivery after one more attempt."""
    attempts = delivery.attempts + 1
    match outcome:
        case Sent():
            return DeliveryResult(delivery, "sent", attempts)
        case Refused(reason):
            return DeliveryResult(delivery, "failed", attempts, _redacted(reason))
        case Deferred(reason) if attempts >= ATTEMPTS_MAX:
            return DeliveryResult(
                delivery, "failed", attempts, _redacted(f"gave up, last: {reason}")
            )
        case Deferred(reason):
            wait = retry_after(attempts, delivery.id)
            return DeliveryResult(delivery, "pending", attempts, _redacted(reason), wait)
    assert_never(outcome)


def retry_after(attempts: int, delivery_id: UUID) -> timedelta:
    """Return the wait before the next attempt: 2 s after the first, doubled each time, ±25 %.

    The variation depends on the delivery's id, so that deliveries that failed together are not
    all retried together.
    """
    share = delivery_id.int % 1000 / 1000
    return timedelta(seconds=2**attempts * (1 - _SPREAD + 2 * _SPREAD * share))


def announcement_of(result: DeliveryResult) -> NotificationFact | None:
    """Return the event that announces a result; None while the delivery is pending."""
    delivery = result.delivery
    fields = {
        "ticket_id": delivery.fact.ticket_id,
        "delivery_id": delivery.id,
        "alert": delivery.alert,
        "recipient": delivery.recipient,
        "medium": "mail",
        "attempts": result.attempts,
    }
    match result.state:
        case "sent":
            return NotificationSent.model_validate(fields)
        case "failed":
            return NotificationFailed.model_validate({**fields, "reason": result.reason})
        case "pending":
            return None
    assert_never(result.state)


def _redacted(reason: str) -> str:
    """Make a reason one line of at most 200 characters, with ``(address)`` for mail addresses."""
    return _ADDRESS.sub("(address)", one_line(reason))[:_REASON_MAX]


def one_line(text: str) -> str:
    """Replace control characters by spaces, so that none can end a header or a line."""
    return _CONTROL.sub(" ", text).strip()


def render(delivery: Delivery, *, link: str) -> Mail:
    """Write the mail: what happened, then what to do, then why the recipient gets it."""
    fact, near = delivery.fact, delivery.planned_at
    match fact:
        case TicketAssigned():
            write = _callback if fact.channel == "phone" else _assignment
            return write(fact, link, near)
        case CallbackReminded():
            return _reminder(fact, link, near)
        case ClockWarned():
            return _warning(fact, link, near, is_unassigned=delivery.specialist_id is None)
        case PromiseBreached():
            return _breach(fact, link, near)
        case PromiseMissed():
            return _miss(fact, link, near)
        case PromiseRetracted():
            return _retraction(fact, link)
    assert_never(fact)


def _callback(fact: TicketAssigned, link: str, near: datetime) -> Mail:
    account, due = one_line(fact.account_id), _when(fact, near)
    return _mail(
        f"Call back now · {account} · {due}",
        f"{account} waits for a call: {due}. The ticket is yours.",
        f"Call; the number is in the ticket: {link}",
        _why_you(fact),
    )


def _reminder(fact: CallbackReminded, link: str, near: datetime) -> Mail:
    account, due = one_line(fact.account_id), due_phrase(fact.due_at, near)
    return _mail(
        f"Call again now · {account} · {due}",
        f"{account} still waits for a call: {due}. This is attempt {fact.attempt}.",
        f"Call; the number is in the ticket: {link}",
        "Why you: the ticket is yours, and the last attempt was not answered.",
    )


def _assignment(fact: TicketAssigned, link: str, near: datetime) -> Mail:
    account, what, due = one_line(fact.account_id), _what(fact), _when(fact, near)
    promised = _PROMISED[fact.promise or "first_response"]
    about = f"{what[0].upper()}{what[1:]} · {account} · {due}"
    if fact.after_reply:
        return _mail(
            f"Customer replied · {about}",
            f"{account} replied ({what}). Your answer: {due}.",
            f"Answer: {link}",
            _why_you(fact),
        )
    return _mail(
        about,
        f"You have a {what} of {account}. {promised[0].upper()}{promised[1:]}: {due}.",
        f"Answer: {link}",
        _why_you(fact),
    )


def _when(fact: TicketAssigned, near: datetime) -> str:
    """Write when the assigned ticket's promise is due, or why nothing is due."""
    if fact.due_at is not None:
        return due_phrase(fact.due_at, near)
    return "no due time is promised" if fact.promise is None else "paused: nothing is due now"


def _why_you(fact: TicketAssigned) -> str:
    language = one_line(fact.language)
    waited = f"The ticket had waited {span(fact.waited_ms)}."
    if fact.english_instead:
        return f"Why you: nobody on the roster speaks {language}, so answer in English. {waited}"
    return f"Why you: you take {fact.channel} in {language} and had room. {waited}"


def _warning(fact: ClockWarned, link: str, near: datetime, *, is_unassigned: bool) -> Mail:
    account, what, due = one_line(fact.account_id), _what(fact), due_phrase(fact.due_at, near)
    is_due = due if due.startswith("was") else f"is {due}"
    unassigned = ", nobody has it" if is_unassigned else ""
    return _mail(
        f"{fact.percent} % used{unassigned} · {what} · {account} · {due}",
        f"{fact.percent} % of the time is used: {_promised(fact)} for {account} ({what}) {is_due},"
        f" and {_OWED[fact.kind]}.",
        f"{'Find somebody for it' if is_unassigned else 'Answer'}: {link}",
        f"Why you: {'no specialist has the ticket' if is_unassigned else 'the ticket is yours'}.",
    )


def _breach(fact: PromiseBreached, link: str, near: datetime) -> Mail:
    account, what, due = one_line(fact.account_id), _what(fact), at(fact.due_at, near)
    return _mail(
        f"Promise broken · {account} · {what} · was due {due}",
        f"A guarantee to {account} is broken: {_promised(fact)} ({what}) was due {due},"
        f" and {_OWED[fact.kind]}.",
        f"See that it is answered: {link}",
        "Why you: the team is told of every broken guarantee, once.",
    )


def _miss(fact: PromiseMissed, link: str, near: datetime) -> Mail:
    account, what, due = one_line(fact.account_id), _what(fact), at(fact.due_at, near)
    return _mail(
        f"Objective missed · {account} · {what} · was due {due}",
        f"An objective for {account} is missed: {_promised(fact)} ({what}) was due {due},"
        f" and {_OWED[fact.kind]}.",
        f"See that it is answered: {link}",
        "Why you: the team is told of every miss, once. It is no breach of contract.",
    )


def _retraction(fact: PromiseRetracted, link: str) -> Mail:
    account, what = one_line(fact.account_id), _what(fact)
    noun = {"breached": "breach", "missed": "miss"}[fact.retracted]
    why = _WHY_NOT[fact.reason or "answered"]
    return _mail(
        f"No {noun} after all · {account} · {what}",
        f"The {noun} reported for {account} ({what}) is taken back: {_promised(fact)} {why}.",
        f"Nothing is left to do. The ticket: {link}",
        f"Why you: you were told of the {noun}; a fact that came late shows otherwise.",
    )


def _mail(subject: str, *paragraphs: str) -> Mail:
    return Mail(subject, "\n\n".join(paragraphs) + "\n")


def _what(fact: TicketAssigned | ClockFact) -> str:
    if fact.severity == "business_critical":
        return f"business-critical {fact.channel}"
    return {"email": "standard email", "phone": "callback", "chat": "chat"}[fact.channel]


def _promised(fact: ClockFact) -> str:
    return _PROMISED[fact.kind]
