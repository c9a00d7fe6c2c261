"""The ledgers of one transaction: what it adds to them, and the events that it announces."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from router.domain.callbacks.ledger import (
    REDIAL_RULE,
    Attempt,
    Call,
    CallbackEvent,
    CallbackRequest,
    calls_of,
)
from router.domain.ticket import Ticket
from shared.events import (
    AttemptOutcome,
    CallbackAttempted,
    CallbackJoined,
    CallbackPlanned,
    CallbackReminded,
    CallbackSettled,
    Envelope,
    Event,
    TicketAbsorbed,
    TicketAccepted,
    TicketErased,
)
from shared.events.assignments import AssignmentFact
from shared.tickets import FactKind, identity_of, kind_of

__all__ = [
    "AlreadySettled",
    "CallReport",
    "LedgerEntry",
    "LedgerSession",
    "NoCallback",
    "UnknownSpecialist",
    "may_concern_ledger",
]

_SOURCE: Final = "router"
_REDIAL_MIN: Final = timedelta(seconds=20)
"""Dialling again takes at least this long: an earlier second report repeats the first."""
_RELEVANT_KINDS: Final = frozenset[FactKind](
    {"reached", "responded", "resolved", "closed", "reopened", "replied", "merged", "erased"}
)


class NoCallback(Exception):  # noqa: N818 - an answer to a person, not a fault
    """No call is owed on this ticket, or none was at that time."""


class AlreadySettled(Exception):  # noqa: N818 - as above
    """The customer was already spoken to: no call is owed any more."""


class UnknownSpecialist(Exception):  # noqa: N818 - as above
    """The specialist was never on the roster."""


@dataclass(frozen=True, slots=True)
class CallReport:
    """A specialist's report of a call; without ``at`` it has just ended."""

    ticket_id: UUID
    specialist_id: str
    outcome: AttemptOutcome
    at: datetime | None
    traceparent: str | None


@dataclass(slots=True)
class LedgerEntry:
    """A request, its ledger, and its number's key; None without a number, and after an erasure."""

    request: CallbackRequest
    ledger: UUID
    number_key: str | None
    remind_at: datetime | None = None
    """When to remind the ticket's specialist of the planned dial; None if done or not planned."""


class LedgerSession:
    """All ledgers that a transaction concerns, with the changes to save and events to publish."""

    def __init__(
        self, entries: Iterable[LedgerEntry], facts: Iterable[CallbackEvent | Attempt]
    ) -> None:
        self.entries = {entry.request.ticket_id: entry for entry in entries}
        self.touched: set[UUID] = set()
        self.new_facts: list[CallbackEvent | Attempt] = []
        self.announced: list[Envelope[Event]] = []
        self._facts: dict[UUID, list[CallbackEvent | Attempt]] = {}
        for fact in facts:
            self._facts.setdefault(fact.ticket_id, []).append(fact)

    def calls(self, ticket_id: UUID) -> list[Call]:
        """Return the calls of the ledger that a ticket belongs to, if any."""
        entry = self.entries.get(ticket_id)
        if entry is None:
            return []
        others = [e.request for e in self.entries.values() if e.ledger == entry.ledger]
        facts = [f for request in others for f in self._facts.get(request.ticket_id, ())]
        return calls_of([*others, *facts], REDIAL_RULE)

    def has_facts(self, ticket_id: UUID) -> bool:
        """Return whether any facts about a ticket are known."""
        return ticket_id in self._facts

    def record(self, envelope: Envelope[Event], *, unknown: bool) -> None:
        """Add one event; for an ``unknown`` ticket it is kept until the ticket is accepted."""
        match envelope.event:
            case TicketAccepted() as event if event.ticket_id not in self.entries:
                if event.channel == "phone" or event.number_key is not None:
                    self._open(event, envelope.time)
            case event if (kind := _relevant_kind(event)) is not None:
                ticket_id = UUID(event.subject)
                if unknown or ticket_id in self.entries:
                    self._write(
                        CallbackEvent(identity_of(envelope), ticket_id, envelope.time, kind)
                    )
                if isinstance(event, TicketErased) and ticket_id in self.entries:
                    self.entries[ticket_id].number_key = None
                    self.touched.add(ticket_id)
            case _:
                pass

    def set_due(self, ticket_id: UUID, due_at: datetime | None) -> None:
        """Set when a call is due; None if nothing is due or promised."""
        entry = self.entries.get(ticket_id)
        if entry is not None and entry.request.owed and due_at != entry.request.due_at:
            entry.request = entry.request._replace(due_at=due_at)
            self.touched.add(ticket_id)

    def record_attempt(self, report: CallReport, now: datetime) -> Envelope[Event] | None:
        """Add an attempt and announce it; return None for a repeated report.

        A report of the same specialist and outcome is repeated if it has the same time or, without
        a time, if the call was answered, or was reported less than 20 seconds ago.

        Raises:
            NoCallback: no call was owed on the ticket then.
            AlreadySettled: the customer was spoken to before.
        """
        at = report.at or now
        call = self.call_at(report.ticket_id, at)
        if _is_repeated(call, report, now):
            return None
        if call.over_at is not None and at >= call.over_at:
            raise AlreadySettled
        name = f"attempt/{report.specialist_id}/{at.isoformat()}"
        attempt = Attempt(
            uuid5(report.ticket_id, name),
            report.ticket_id,
            at,
            report.specialist_id,
            report.outcome,
        )
        self._write(attempt)
        event = CallbackAttempted(
            ticket_id=report.ticket_id,
            specialist_id=report.specialist_id,
            outcome=report.outcome,
            attempt=call.next_attempt,
        )
        return self._announce(attempt.id, event, at, report.traceparent)

    def announce_settled(
        self, before: Sequence[Call], after: Sequence[Call], cause: Envelope[Event]
    ) -> Iterator[Envelope[Event]]:
        """Announce the conversations that are new in ``after``."""
        was = {ticket: s for call in before for ticket, s in call.settled.items()}
        for call in after:
            for ticket_id, settled in call.settled.items():
                if was.get(ticket_id) != settled:
                    event = CallbackSettled(ticket_id=ticket_id, how=settled.how, on=settled.on)
                    yield self._announce(settled.id, event, settled.at, cause.traceparent)

    def announce_plan(
        self, before: Sequence[Call], call: Call, leader: UUID | None, cause: Envelope[Event]
    ) -> None:
        """Announce when to dial again, on the ticket that leads the call (which others may join).

        The first dial needs no plan: the specialist who gets the ticket calls at once.
        """
        was = {ticket: call.planned_at for call in before for ticket in call.open}
        again = call.planned_at if call.attempts and leader is not None else None
        for request in call.requests:
            self._remind_at(request.ticket_id, again if request.ticket_id == leader else None, was)
        if again is not None and leader is not None and was.get(leader) != again:
            assert call.due_at is not None  # noqa: S101 - a plan lies before it
            event = CallbackPlanned(
                ticket_id=leader,
                attempt=call.next_attempt,
                planned_at=again,
                due_at=call.due_at,
            )
            self._announce(cause.id, event, cause.time, cause.traceparent)

    def announce_join(self, ticket_id: UUID, leader: UUID, cause: Envelope[Event]) -> None:
        """Announce that one call answers a ticket and the ticket that leads the call."""
        event = CallbackJoined(ticket_id=ticket_id, joined=leader)
        self._announce(cause.id, event, cause.time, cause.traceparent)

    def announce_reminder(self, call: Call, ticket: Ticket, now: datetime) -> None:
        """Announce a reminder of the planned dial to the ticket's specialist."""
        if ticket.specialist_id is None or call.due_at is None:
            return
        event = CallbackReminded(
            ticket_id=ticket.ticket_id,
            specialist_id=ticket.specialist_id,
            account_id=ticket.terms.account_id,
            attempt=call.next_attempt,
            due_at=call.due_at,
        )
        self._announce(uuid5(ticket.ticket_id, f"reminded/{call.planned_at}"), event, now, None)

    def due(self, now: datetime) -> list[UUID]:
        """Return the tickets whose planned dial is due."""
        entries = self.entries.items()
        return [i for i, e in entries if e.remind_at is not None and e.remind_at <= now]

    def clear_reminder(self, ticket_id: UUID) -> None:
        """Clear a ticket's reminder, which was announced."""
        self.entries[ticket_id].remind_at = None
        self.touched.add(ticket_id)

    def _open(self, event: TicketAccepted, create_date: datetime) -> None:
        key = event.number_key
        same = (e.ledger for e in self.entries.values() if key is not None and e.number_key == key)
        ledger = next(same, uuid5(event.ticket_id, "ledger"))
        owed = event.channel == "phone" and not event.dialled
        promises = event.promised(event.severity, create_date) if owed else ()
        due_at = min((p.due_at for p in promises if p.due_at is not None), default=None)
        request = CallbackRequest(
            event.ticket_id, create_date, due_at, owed, event.dialled, event.reopen_within_s
        )
        self.entries[event.ticket_id] = LedgerEntry(request, ledger, key)
        self.touched.add(event.ticket_id)

    def call_at(self, ticket_id: UUID, at: datetime) -> Call:
        """Return the latest call for which a ticket had asked by a time.

        Raises:
            NoCallback: it waited for none.
        """
        for call in reversed(self.calls(ticket_id)):
            request = next((w for w in call.requests if w.ticket_id == ticket_id), None)
            if request is not None and request.at <= at:
                return call
        raise NoCallback

    def _remind_at(
        self, ticket_id: UUID, remind_at: datetime | None, was: Mapping[UUID, datetime | None]
    ) -> None:
        entry = self.entries[ticket_id]
        if remind_at is not None and was.get(ticket_id) == remind_at:
            return
        if entry.remind_at != remind_at:
            entry.remind_at = remind_at
            self.touched.add(ticket_id)

    def _write(self, fact: CallbackEvent | Attempt) -> None:
        self._facts.setdefault(fact.ticket_id, []).append(fact)
        self.new_facts.append(fact)
        if fact.ticket_id in self.entries:
            self.touched.add(fact.ticket_id)

    def _announce(
        self, cause: UUID, event: AssignmentFact, at: datetime, trace: str | None
    ) -> Envelope[Event]:
        envelope: Envelope[Event] = Envelope.caused_by(
            cause, event, source=_SOURCE, time=at, traceparent=trace
        )
        self.announced.append(envelope)
        return envelope


def may_concern_ledger(event: Event) -> bool:
    """Return whether an event may be stored in a ledger."""
    return isinstance(event, TicketAccepted) or _relevant_kind(event) is not None


def _relevant_kind(event: Event) -> FactKind | None:
    """Return an event's kind if it matters to a ledger; a merge may count as reopening."""
    kind = kind_of(event)
    if isinstance(event, TicketAbsorbed):
        return "reopened" if event.reopens or event.owed_since is not None else None
    return kind if kind in _RELEVANT_KINDS and not isinstance(event, CallbackSettled) else None


def _is_repeated(call: Call, report: CallReport, now: datetime) -> bool:
    return any(
        attempt.at == report.at
        or (report.at is None and (now - attempt.at < _REDIAL_MIN or attempt.outcome == "answered"))
        for attempt in call.attempts
        if (attempt.specialist_id, attempt.outcome) == (report.specialist_id, report.outcome)
    )
