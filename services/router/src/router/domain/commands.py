"""The commands of specialists and leads, such as accept, decline, hand back, move and pin.

Each command takes effect once. Repeated by the same person it is refused with `Conflict`; the
caller then looks up the outcome of the first time.
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
"""A command repeated within this time is a second click, or a retry after a lost answer."""


class Unknown(Exception):  # noqa: N818 - an answer to a person, not a fault
    """The ticket, offer or specialist does not exist; the text names which."""


class Conflict(Exception):  # noqa: N818 - as above
    """The command is not possible in the present state; the text gives the reason."""


class NotTheirs(Conflict):
    """The specialist does not have the ticket, or no longer has it."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A specialist accepts an offer."""

    offer_id: UUID
    specialist_id: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class DeclineOffer:
    """A specialist declines an offer."""

    offer_id: UUID
    specialist_id: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Decline:
    """A specialist declines a ticket that is assigned or offered to them."""

    ticket_id: UUID
    specialist_id: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class HandBack:
    """A specialist or a lead returns an assigned ticket to the queue."""

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
    """A specialist confirms the severity."""

    ticket_id: UUID
    specialist_id: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Reclassify:
    """A specialist changes the severity."""

    ticket_id: UUID
    specialist_id: str
    severity: Severity
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A lead assigns a ticket to an available specialist with room, even if another has it."""

    ticket_id: UUID
    to: str
    by: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """A lead reserves a ticket for one specialist; ``to`` None ends the reservation."""

    ticket_id: UUID
    to: str | None
    by: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class PresenceReport:
    """A heartbeat: the presence of a specialist, from the specialist or the system they use.

    With ``hand_back`` all their tickets are handed back at once, without a grace.
    """

    specialist_id: str
    presence: Presence
    hand_back: bool = False


@dataclass(frozen=True, slots=True)
class SetAway:
    """A specialist sets themselves away; no heartbeat ends that, only `EndAway`."""

    specialist_id: str


@dataclass(frozen=True, slots=True)
class EndAway:
    """A specialist ends being away, however it began."""

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
"""The commands by which a specialist changes their own availability."""
type TicketStatus = Literal["offered", "assigned", "waiting", "settled"]


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """The status of a ticket after a command, and the specialist who has it or is offered it."""

    ticket_id: UUID
    outcome: TicketStatus
    specialist_id: str | None


class CommandIdentity(NamedTuple):
    """The values by which a repeated command is recognised."""

    kind: str
    subject: UUID
    """The id of the ticket, or of the offer."""
    actor: str
    from_id: str | None = None
    to_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutedCommand:
    """A command as it is stored, with its outcome."""

    identity: CommandIdentity
    reason: str | None
    outcome: CommandOutcome


def identity_of(command: Command) -> CommandIdentity:
    """Return the values by which a repetition of a command is recognised."""
    match command:
        case Accept() | DeclineOffer():
            return CommandIdentity(_KINDS[type(command)], command.offer_id, command.specialist_id)
        case Decline() | Respond() | Confirm():
            return CommandIdentity(_KINDS[type(command)], command.ticket_id, command.specialist_id)
        case Reclassify():
            return CommandIdentity(
                "reclassify", command.ticket_id, command.specialist_id, to_id=command.severity
            )
        case HandBack():
            return CommandIdentity(
                "hand_back", command.ticket_id, command.by, from_id=command.specialist_id
            )
        case Move():
            return CommandIdentity("move", command.ticket_id, command.by, to_id=command.to)
        case Pin():
            kind = "pin" if command.to else "unpin"
            return CommandIdentity(kind, command.ticket_id, command.by, to_id=command.to)
        case _:
            assert_never(command)
