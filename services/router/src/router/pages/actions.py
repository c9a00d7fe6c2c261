"""Executes the forms of the inbox: each becomes a command, and its outcome a message."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from pydantic import TypeAdapter

from router.domain import commands
from router.domain.callbacks import AlreadySettled, CallReport, NoCallback
from router.domain.commands import (
    Command,
    CommandOutcome,
    Conflict,
    NotTheirs,
)
from router.service.routing import RoutingService
from router.store import pages as page_store
from shared.basics.tracing import context_or_new
from shared.events import AttemptOutcome
from shared.platform.idempotency import OutcomeType
from shared.platform.postgres import Tx
from shared.sla.promises import Severity
from shared.web.formatting import span
from shared.web.visitors import Denied, Missing, Visitor

__all__ = ["KEPT_AS", "OUTCOMES", "REASONS", "Message", "PageAction", "perform"]

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "decline": ("not my field", "no room now", "wrong language", "conflict of interest"),
    "hand-back": ("not my field", "shift ends", "wrong language", "other work first"),
    "move": ("knows the account", "has more room", "speaks the language", "due too soon"),
}
"""The reasons to choose from: they are published, so free text could reveal a customer's name."""
OUTCOMES: Final[tuple[AttemptOutcome, ...]] = get_args(AttemptOutcome.__value__)
"""The possible outcomes of a call."""
_OUTDATED: Final = "This page was out of date: look again, then decide."
_NOT_YOURS: Final = "This ticket is not yours, or not any more: someone was faster."


@dataclass(frozen=True, slots=True)
class PageAction:
    """A submitted form about a ticket.

    ``turn`` is how often the ticket had been assigned or offered when the form was shown.
    """

    kind: str
    ticket_id: UUID
    turn: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """The message that a form is answered with; ``bad`` if it had no effect."""

    text: str
    bad: bool = False


KEPT_AS: Final = OutcomeType(TypeAdapter(Message), lambda message: not message.bad)
"""A form that had no effect may be sent again under its key."""


async def perform(
    routing: RoutingService, tx: Tx, visitor: Visitor, action: PageAction, now: datetime
) -> Message:
    """Execute a form.

    Raises:
        Denied: the visitor may not do this.
        Missing: the ticket does not exist, or a field is not valid.
    """
    run = _record_attempt if action.kind == "attempt" else _execute
    async with routing.matching_lock(tx):
        return await run(routing, tx, visitor, action, now)


async def _execute(
    routing: RoutingService, tx: Tx, visitor: Visitor, action: PageAction, now: datetime
) -> Message:
    build = _COMMANDS.get(action.kind)
    if build is None:
        raise Missing(f"There is no act {action.kind}.")
    if action.kind in _LEAD_ONLY and not visitor.lead:
        raise Denied("Only a lead can do this: ask yours.")
    row = await page_store.ticket(tx, action.ticket_id)
    if row is None:
        raise Missing("There is no such ticket.")
    holder: str | None = row["specialist_id"]
    if action.kind == "hand-back" and holder != visitor.name and not visitor.lead:
        raise Denied(_NOT_YOURS)
    command = build(_Form(action, visitor.name, holder or "", context_or_new(None)))
    if str(row["turn"]) != action.turn:
        if not visitor.lead and visitor.name not in {holder, row["offered_to"]}:
            raise Denied(_NOT_YOURS)
        return Message(_OUTDATED, bad=True)
    try:
        return await _message(tx, action.kind, await routing.execute(tx, command, now))
    except NotTheirs as e:
        raise Denied(_NOT_YOURS) from e
    except (Conflict, commands.Unknown) as e:
        text = str(e)
        return Message(f"{text[0].upper()}{text[1:]}.", bad=True)


async def _record_attempt(
    routing: RoutingService, tx: Tx, visitor: Visitor, action: PageAction, now: datetime
) -> Message:
    """Record a call attempt; a second report within seconds is the same attempt."""
    outcome = next((one for one in OUTCOMES if one == action.fields.get("outcome")), None)
    if outcome is None:
        raise Missing("It is not said what came of the call: choose again.")
    row = await page_store.ticket(tx, action.ticket_id)
    theirs = row is not None and row["specialist_id"] == visitor.name
    if not theirs and not await page_store.dialled(tx, action.ticket_id, visitor.name):
        raise Denied(_NOT_YOURS)
    try:
        report = CallReport(action.ticket_id, visitor.name, outcome, None, context_or_new(None))
        call = await routing.record_attempt(tx, report, now)
    except NoCallback:
        return Message("Nobody waits for a call on this ticket.", bad=True)
    except AlreadySettled:
        return Message("The customer was spoken to already: do not dial.", bad=True)
    if call.planned_at is None:
        return Message("Noted: the customer is reached." if not call.open else "Noted.")
    left = span((call.planned_at - now).total_seconds())
    return Message(f"Noted: {outcome.replace('_', ' ')}. Dial again in {left}: you are reminded.")


@dataclass(frozen=True, slots=True)
class _Form:
    """The values of a form, converted and checked, and who submitted it."""

    action: PageAction
    me: str
    holder: str
    trace: str

    @property
    def ticket(self) -> UUID:
        """The id of the ticket."""
        return self.action.ticket_id

    @property
    def reason(self) -> str:
        """The chosen reason. Raises Missing for one that is not offered."""
        return self._one_of(
            "reason", REASONS["move" if self.action.kind == "pin" else self.action.kind]
        )

    @property
    def to(self) -> str:
        """The specialist whom a lead chose. Raises Missing if none is chosen."""
        if not (to := self.action.fields.get("to", "")):
            raise Missing("Nobody is named: choose who shall have it.")
        return to

    @property
    def offer(self) -> UUID:
        """The id of the offer. Raises Missing."""
        try:
            return UUID(self.action.fields.get("offer", ""))
        except ValueError as e:
            raise Missing("There is no such offer.") from e

    @property
    def severity(self) -> Severity:
        """The chosen severity. Raises Missing."""
        shown = self._one_of("severity", ("standard", "business_critical"))
        return "standard" if shown == "standard" else "business_critical"

    def _one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.action.fields.get(name, "")
        if value not in choices:
            raise Missing(f"“{value}” is no {name}: choose {', '.join(choices)}.")
        return value


def _decline(form: _Form) -> Command:
    if "offer" in form.action.fields:
        return commands.DeclineOffer(form.offer, form.me, form.reason, form.trace)
    return commands.Decline(form.ticket, form.me, form.reason, form.trace)


_COMMANDS: Final[Mapping[str, Callable[[_Form], Command]]] = {
    "accept": lambda form: commands.Accept(form.offer, form.me, form.trace),
    "decline": _decline,
    "responded": lambda form: commands.Respond(form.ticket, form.me, form.trace),
    "confirm": lambda form: commands.Confirm(form.ticket, form.me, form.trace),
    "reclassify": lambda form: commands.Reclassify(form.ticket, form.me, form.severity, form.trace),
    "hand-back": lambda form: commands.HandBack(
        form.ticket, form.holder, form.me, form.reason, form.trace
    ),
    "move": lambda form: commands.Move(form.ticket, form.to, form.me, form.reason, form.trace),
    "pin": lambda form: commands.Pin(form.ticket, form.to, form.me, form.reason, form.trace),
    "unpin": lambda form: commands.Pin(form.ticket, None, form.me, "no longer needed", form.trace),
}
_LEAD_ONLY: Final = frozenset({"move", "pin", "unpin"})
_DONE: Final[Mapping[str, str]] = {
    "accept": "Accepted",
    "decline": "Declined",
    "responded": "Noted: the customer is answered",
    "confirm": "Confirmed",
    "reclassify": "Reclassified: it is due anew, from the same create date",
    "hand-back": "Handed back",
    "move": "Moved",
    "pin": "Pinned",
    "unpin": "Unpinned",
}


async def _message(tx: Tx, command: str, outcome: CommandOutcome) -> Message:
    name = outcome.specialist_id
    called = (await page_store.names(tx, [name])).get(name, name) if name else ""
    status = {
        "offered": f"it rings at {called}",
        "assigned": f"{called} has it",
        "waiting": "it waits, with its age",
        "settled": "nothing more is owed",
    }[outcome.outcome]
    return Message(f"{_DONE[command]}; {status}.")
