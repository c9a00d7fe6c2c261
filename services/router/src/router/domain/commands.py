"""What people do at the desk: accept, decline, hand back, answer, judge, move, pin, come and go.

Each act has its effect once. Done again by the same person it changes nothing (`Conflict`), and
whoever asks for it looks up what came of it then.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, NamedTuple, assert_never
from uuid import UUID

from shared.events import Presence
from shared.sla.promises import Severity

__all__ = [
    "REPEATED_WITHIN",
    "Accept",
    "Command",
    "CommandIdentity",
    "CommandOutcome",
    "Confirm",
    "Conflict",
    "Decline",
    "DeclineOffer",
    "EndAway",
    "ExecutedCommand",
    "HandBack",
    "IdempotencyKeyReused",
    "Move",
    "NotTheirs",
    "Pin",
    "PresenceCommand",
    "PresenceReport",
    "Reclassify",
    "Respond",
    "SetAway",
    "TicketStatus",
    "Unknown",
    "identity_of",
]

REPEATED_WITHIN: Final = timedelta(minutes=10)
"""For so long an act done again is a second click, or an answer lost on its way."""


class Unknown(Exception):  # noqa: N818 - an answer to a person, not a fault
    """There is no such ticket, offer or specialist; the text says which."""


class Conflict(Exception):  # noqa: N818 - as above
    """It cannot be done as things stand now; the text says why."""


class NotTheirs(Conflict):
    """The specialist does not have the ticket (any more)."""


class IdempotencyKeyReused(Exception):  # noqa: N818 - as above
    """The name under which an act is asked for was another's; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A specialist takes what is offered to them."""

    offer_id: UUID
    specialist_id: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class DeclineOffer:
    """A specialist does not take what is offered to them."""

    offer_id: UUID
    specialist_id: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Decline:
    """A specialist does not want a ticket, which they have or are offered."""

    ticket_id: UUID
    specialist_id: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class HandBack:
    """A ticket shall wait again instead of staying with a specialist: their choice or a lead's."""

    ticket_id: UUID
    specialist_id: str
    by: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Respond:
    """A specialist has answered the customer."""

    ticket_id: UUID
    specialist_id: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """A specialist finds the severity right."""

    ticket_id: UUID
    specialist_id: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Reclassify:
    """A specialist finds another severity."""

    ticket_id: UUID
    specialist_id: str
    severity: Severity
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A lead gives a ticket to somebody who is there and has room, whoever has it now."""

    ticket_id: UUID
    to: str
    by: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """A lead lets a ticket wait for one person, or (``to`` None) for anybody again."""

    ticket_id: UUID
    to: str | None
    by: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class PresenceReport:
    """A specialist, or the system they work at, says whether they are there: a heartbeat.

    ``hand_back`` gives back at once all they have, whatever grace there is.
    """

    specialist_id: str
    presence: Presence
    hand_back: bool = False


@dataclass(frozen=True, slots=True)
class SetAway:
    """A specialist goes away until they come back, whatever heartbeats say meanwhile."""

    specialist_id: str


@dataclass(frozen=True, slots=True)
class EndAway:
    """A specialist is back: from being away, also if they were set away."""

    specialist_id: str


_KINDS: Final[dict[type, str]] = {
    Accept: "accept",
    DeclineOffer: "decline",
    Decline: "decline",
    HandBack: "hand_back",
    Respond: "respond",
    Confirm: "confirm",
    Reclassify: "reclassify",
    Move: "move",
    Pin: "pin",
}

type Command = (
    Accept | DeclineOffer | Decline | HandBack | Respond | Confirm | Reclassify | Move | Pin
)
type PresenceCommand = PresenceReport | SetAway | EndAway
"""What a specialist says of themselves."""
type TicketStatus = Literal["offered", "assigned", "waiting", "settled"]


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a ticket stood after an act, and with whom."""

    ticket_id: UUID
    outcome: TicketStatus
    specialist_id: str | None


class CommandIdentity(NamedTuple):
    """What an act is known by: done again, it has the same."""

    kind: str
    subject: UUID
    """The ticket, or the offer."""
    actor: str
    from_id: str | None = None
    to_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutedCommand:
    """An act as it is kept, with what came of it."""

    identity: CommandIdentity
    reason: str | None
    outcome: CommandOutcome
    word: str | None = None
    """By which it is known when it is asked for again."""


def identity_of(act: Command) -> CommandIdentity:
    """Name what an act is known by."""
    match act:
        case Accept() | DeclineOffer():
            return CommandIdentity(_KINDS[type(act)], act.offer_id, act.specialist_id)
        case Decline() | Respond() | Confirm():
            return CommandIdentity(_KINDS[type(act)], act.ticket_id, act.specialist_id)
        case Reclassify():
            return CommandIdentity(
                "reclassify", act.ticket_id, act.specialist_id, to_id=act.severity
            )
        case HandBack():
            return CommandIdentity("hand_back", act.ticket_id, act.by, from_id=act.specialist_id)
        case Move():
            return CommandIdentity("move", act.ticket_id, act.by, to_id=act.to)
        case Pin():
            kind = "pin" if act.to else "unpin"
            return CommandIdentity(kind, act.ticket_id, act.by, to_id=act.to)
        case _:
            assert_never(act)
