"""Mails about a ticket, in sentences."""

from collections.abc import Mapping
from typing import Final

from shared.events import AlertKind, NotificationFact, NotificationFailed, NotificationSent
from shared.wording.reader import Message, Reader
from shared.wording.table import Sentences

__all__ = ["SENTENCES"]

_SENT: Final[Mapping[AlertKind, Message]] = {
    "assignment": Message("Mail sent to {recipient}: new ticket"),
    "callback": Message("Mail sent to {recipient}: call now"),
    "warning": Message("Mail sent to {recipient}: warning"),
    "breach": Message("Mail sent to {recipient}: guarantee broken"),
    "miss": Message("Mail sent to {recipient}: goal missed"),
    "retraction": Message("Mail sent to {recipient}: all clear"),
}
_SPECIALIST: Final = "specialist:"


def _recipient(event: NotificationFact, reader: Reader) -> str:
    if event.recipient.startswith(_SPECIALIST):
        return reader.name(event.recipient.removeprefix(_SPECIALIST))
    return reader.text(Message("the team"))


def _sent(event: NotificationSent, reader: Reader) -> str:
    return reader.text(_SENT[event.alert], recipient=_recipient(event, reader))


def _failed(event: NotificationFailed, reader: Reader) -> str:
    recipient = _recipient(event, reader)
    message = Message("Mail to {recipient} not delivered: {reason}")
    return reader.text(message, recipient=recipient, reason=event.reason)


SENTENCES: Final[Sentences] = {NotificationSent: _sent, NotificationFailed: _failed}
