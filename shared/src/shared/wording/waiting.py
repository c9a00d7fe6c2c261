"""Why a ticket waits, and why no specialist can answer it in time, in sentences."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from shared.events import PromiseFeasible, PromiseInfeasible, QueueReason, Withdrawal
from shared.sla.promises import Channel
from shared.wording.reader import Message, Reader
from shared.wording.table import Sentences

__all__ = ["SENTENCES", "missing_coverage", "why_it_waits"]

_WAITS: Final[Mapping[QueueReason | Literal["set_aside"], Message]] = {
    "no_skill": Message("Nobody on the roster takes this channel in its language"),
    "no_capacity": Message("Everyone who could take it is full"),
    "no_shift": Message("Nobody who could take it is on shift"),
    "no_answer": Message("No answer: everyone free has declined or missed it"),
    "set_aside": Message("Everyone free has declined or missed it"),
}
_NO_SHIFT: Final[Mapping[Channel, Message]] = {
    "email": Message("No {language} email until {opens}"),
    "phone": Message("No {language} line until {opens}"),
    "chat": Message("No {language} chat until {opens}"),
}
_NO_SKILL: Final[Mapping[Channel, Message]] = {
    "email": Message("Nobody on the roster answers emails in {language} or English"),
    "phone": Message("Nobody on the roster takes calls in {language} or English"),
    "chat": Message("Nobody on the roster takes chats in {language} or English"),
}
_NO_ENGLISH: Final[Mapping[Channel, Message]] = {
    "email": Message("Nobody on the roster answers emails in English"),
    "phone": Message("Nobody on the roster takes calls in English"),
    "chat": Message("Nobody on the roster takes chats in English"),
}
_FEASIBLE: Final[Mapping[Withdrawal, Message]] = {
    "covered": Message("Can be answered in time again: a specialist will be on shift"),
    "assigned": Message("Can be answered in time again: a specialist has it"),
    "repriced": Message("Can be answered in time again: it is due later"),
    "over": Message("No answer is due any more"),
    "past_due": Message("Its due time has passed"),
}
_ENGLISH: Final = "en"


def why_it_waits(
    reason: QueueReason | Literal["set_aside", "pinned"], kept_for: str | None, reader: Reader
) -> str:
    """Return why a ticket waits; ``kept_for`` is the id of the specialist it is pinned to."""
    if reason == "pinned":
        return reader.text(
            Message("Kept for {who}, who is full or away"), who=reader.name(kept_for or "")
        )
    return reader.text(_WAITS[reason])


def missing_coverage(
    channel: Channel, spoken: str, opens_at: datetime | None, reader: Reader
) -> str:
    """Return why no specialist can answer in time.

    ``opens_at`` is when a specialist who speaks ``spoken`` is on shift next; None if there is none.
    """
    language = reader.language(spoken)
    if opens_at is not None:
        opens = reader.moment(opens_at)
        return reader.text(_NO_SHIFT[channel], language=language, opens=opens)
    if spoken == _ENGLISH:
        return reader.text(_NO_ENGLISH[channel])
    return reader.text(_NO_SKILL[channel], language=language)


def _infeasible(event: PromiseInfeasible, reader: Reader) -> str:
    why = missing_coverage(event.channel, event.spoken, event.opens_at, reader)
    return reader.text(Message("Cannot be answered in time: {why}"), why=why)


SENTENCES: Final[Sentences] = {
    PromiseInfeasible: _infeasible,
    PromiseFeasible: lambda event, reader: reader.text(_FEASIBLE[event.reason]),
}
