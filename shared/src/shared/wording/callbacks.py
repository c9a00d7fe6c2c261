"""Calls to customers, in sentences."""

from collections.abc import Mapping
from typing import Final

from shared.events import (
    AttemptOutcome,
    CallbackAttempted,
    CallbackJoined,
    CallbackPlanned,
    CallbackReminded,
    CallbackSettled,
    Contact,
)
from shared.wording.reader import Message, Reader
from shared.wording.table import Sentences, always

__all__ = ["SENTENCES"]

_ATTEMPTED: Final[Mapping[AttemptOutcome, Message]] = {
    "answered": Message("{who} called: customer reached (try {attempt})"),
    "no_answer": Message("{who} called: no answer (try {attempt})"),
    "busy": Message("{who} called: busy (try {attempt})"),
    "wrong_number": Message("{who} called: wrong number (try {attempt})"),
}
_SETTLED: Final[Mapping[Contact, Message]] = {
    "answered": Message("Customer reached. No more calls needed."),
    "reached": Message("Customer reached. No more calls needed."),
    "dialled": Message("The customer called us. No more calls needed."),
}


def _attempted(event: CallbackAttempted, reader: Reader) -> str:
    who = reader.name(event.specialist_id)
    return reader.text(_ATTEMPTED[event.outcome], who=who, attempt=event.attempt)


def _planned(event: CallbackPlanned, reader: Reader) -> str:
    return reader.text(Message("Next try at {at}"), at=reader.moment(event.planned_at))


def _reminded(event: CallbackReminded, reader: Reader) -> str:
    message = Message("{who} was reminded to call (try {attempt})")
    return reader.text(message, who=reader.name(event.specialist_id), attempt=event.attempt)


SENTENCES: Final[Sentences] = {
    CallbackJoined: always(Message("Shares the call of another ticket with the same number")),
    CallbackAttempted: _attempted,
    CallbackPlanned: _planned,
    CallbackReminded: _reminded,
    CallbackSettled: lambda event, reader: reader.text(_SETTLED[event.how]),
}
