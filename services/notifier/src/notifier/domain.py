"""Who is told what of a fact, in which words, and what becomes of a delivery after a try."""

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
    "TELLABLE",
    "TRIES_MAX",
    "Deferred",
    "Delivery",
    "Mail",
    "Outcome",
    "Refused",
    "Sent",
    "Tellable",
    "Verdict",
    "announcement_of",
    "judge",
    "one_line",
    "plan",
    "render",
    "retry_after",
]

type Tellable = (
    TicketAssigned
    | CallbackReminded
    | ClockWarned
    | PromiseBreached
    | PromiseMissed
    | PromiseRetracted
)
"""The facts that somebody is told of."""

TELLABLE: Final[dict[str, type[Tellable]]] = {
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
TRIES_MAX: Final = 12
"""With `retry_after` between them these tries span about 70 minutes."""
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
    """One person to be told of one fact; ``specialist_id`` is None for the team."""

    id: UUID
    alert: AlertKind
    specialist_id: str | None
    fact: Tellable
    traceparent: str | None
    planned_at: datetime
    attempts: int = 0

    @property
    def recipient(self) -> str:
        """Name the recipient, never by address."""
        return _recipient(self.specialist_id)


@dataclass(frozen=True, slots=True)
class Mail:
    """What a person reads. The subject alone is enough to act."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The mail server took it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be delivered, however often it is tried."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """It was not delivered now; it may be later."""

    reason: str


type Outcome = Sent | Refused | Deferred


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a delivery comes to after a try; ``retry_after`` counts while it is pending."""

    delivery: Delivery
    state: Literal["sent", "failed", "pending"]
    attempts: int
    reason: str | None = None
    retry_after: timedelta = timedelta()


def plan(envelope: Envelope[Event], holder: str | None, *, now: datetime) -> Delivery | None:
    """Decide who is told of a fact, if anybody. ``holder`` is the specialist with the ticket."""
    alert: AlertKind
    whom: str | None
    match envelope.event:
        case TicketAssigned() as fact:
            alert, whom = (
                "callback" if fact.channel == "phone" else "assignment",
                fact.specialist_id,
            )
        case CallbackReminded() as fact:
            alert, whom = "callback", fact.specialist_id
        case ClockWarned() as fact:
            alert, whom = "warning", holder
        case PromiseBreached() as fact:
            alert, whom = "breach", None
        case PromiseMissed() as fact:
            alert, whom = "miss", None
        case PromiseRetracted() as fact:
            alert, whom = "retraction", None
        case _:
            return None
    return _delivery(envelope, fact, alert, whom, now)


def _delivery(
    envelope: Envelope[Event],
    fact: Tellable,
    alert: AlertKind,
    specialist_id: str | None,
    now: datetime,
) -> Delivery:
    delivery_id = uuid5(envelope.id, _recipient(specialist_id))
    return Delivery(delivery_id, alert, specialist_id, fact, envelope.traceparent, now)


def _recipient(specialist_id: str | None) -> str:
    return "team" if specialist_id is None else f"specialist:{specialist_id}"


def judge(delivery: Delivery, outcome: Outcome) -> Verdict:
    """Decide what a delivery comes to after one more try."""
    attempts = delivery.attempts + 1
    match outcome:
        case Sent():
            return Verdict(delivery, "sent", attempts)
        case Refused(reason):
            return Verdict(delivery, "failed", attempts, _told(reason))
        case Deferred(reason) if attempts >= TRIES_MAX:
            return Verdict(delivery, "failed", attempts, _told(f"gave up, last: {reason}"))
        case Deferred(reason):
            wait = retry_after(attempts, delivery.id)
            return Verdict(delivery, "pending", attempts, _told(reason), wait)
    assert_never(outcome)


def retry_after(attempts: int, delivery_id: UUID) -> timedelta:
    """Double the wait with every try, from 2 s; a quarter of it is spread by the delivery's id.

    Spread, so that what failed together does not come back together.
    """
    share = delivery_id.int % 1000 / 1000
    return timedelta(seconds=2**attempts * (1 - _SPREAD + 2 * _SPREAD * share))


def announcement_of(verdict: Verdict) -> NotificationFact | None:
    """Name the fact that a verdict gives rise to; None while the delivery is pending."""
    delivery = verdict.delivery
    told = {
        "ticket_id": delivery.fact.ticket_id,
        "delivery_id": delivery.id,
        "alert": delivery.alert,
        "recipient": delivery.recipient,
        "medium": "mail",
        "attempts": verdict.attempts,
    }
    match verdict.state:
        case "sent":
            return NotificationSent.model_validate(told)
        case "failed":
            return NotificationFailed.model_validate({**told, "reason": verdict.reason})
        case "pending":
            return None
    assert_never(verdict.state)


def _told(reason: str) -> str:
    """Keep a server's answer to one line; it may repeat an address, which is nobody's business."""
    return _ADDRESS.sub("(address)", one_line(reason))[:_REASON_MAX]


def one_line(text: str) -> str:
    """Put a space for every control character: none may end a header, or a line."""
    return _CONTROL.sub(" ", text).strip()


def render(delivery: Delivery, *, link: str) -> Mail:
    """Write the mail: the fact first, the act second, the reason last."""
    fact, near = delivery.fact, delivery.planned_at
    match fact:
        case TicketAssigned():
            write = _callback if fact.channel == "phone" else _assignment
            return write(fact, link, near)
        case CallbackReminded():
            return _reminder(fact, link, near)
        case ClockWarned():
            return _warning(fact, link, near, nobody=delivery.specialist_id is None)
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
    """Say when it is due, or why nothing is."""
    if fact.due_at is not None:
        return due_phrase(fact.due_at, near)
    return "no due time is promised" if fact.promise is None else "paused: nothing is due now"


def _why_you(fact: TicketAssigned) -> str:
    language = one_line(fact.language)
    waited = f"The ticket had waited {span(fact.waited_ms)}."
    if fact.english_instead:
        return f"Why you: nobody on the roster speaks {language}, so answer in English. {waited}"
    return f"Why you: you take {fact.channel} in {language} and had room. {waited}"


def _warning(fact: ClockWarned, link: str, near: datetime, *, nobody: bool) -> Mail:
    account, what, due = one_line(fact.account_id), _what(fact), due_phrase(fact.due_at, near)
    is_due = due if due.startswith("was") else f"is {due}"
    return _mail(
        f"{fact.percent} % used{', nobody has it' if nobody else ''} · {what} · {account} · {due}",
        f"{fact.percent} % of the time is used: {_promised(fact)} for {account} ({what}) {is_due},"
        f" and {_OWED[fact.kind]}.",
        f"{'Find somebody for it' if nobody else 'Answer'}: {link}",
        f"Why you: {'no specialist has the ticket' if nobody else 'the ticket is yours'}.",
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
