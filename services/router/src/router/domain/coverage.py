"""Coverage: when a qualified specialist is next on shift. Promises due before are infeasible."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from router.domain.specialist import Specialist
from router.domain.ticket import Ticket, base_language
from shared.events import Constraint, Withdrawal
from shared.sla.promises import Channel

__all__ = [
    "COVERED_NOW",
    "NEVER",
    "Coverage",
    "LanguageQueue",
    "coverage_of",
    "is_infeasible",
    "language_queue_of",
    "withdrawal_reason",
]

COVERED_NOW: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Coverage while a specialist is on shift: no ticket is due that early."""
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_ENGLISH: Final = "en"


class LanguageQueue(NamedTuple):
    """The tickets of one channel and language; the language's regions do not count."""

    channel: Channel
    language: str


class Coverage(NamedTuple):
    """When a qualified specialist is on shift next, and which language they speak.

    `COVERED_NOW` if one is on shift, `NEVER` if none is qualified. Presence does not count: a
    specialist who is on shift but away may return at any time.
    """

    opens_at: datetime
    spoken: str

    @property
    def constraint(self) -> Constraint:
        """Why there is no coverage: no one is qualified (`no_skill`), or on shift (`no_shift`)."""
        return "no_skill" if self.opens_at == NEVER else "no_shift"

    @property
    def next_shift_at(self) -> datetime | None:
        """When a qualified specialist is on shift next; None if no shift of one is planned."""
        return None if self.opens_at == NEVER else self.opens_at


def language_queue_of(ticket: Ticket) -> LanguageQueue:
    """Return the queue of an accepted ticket."""
    return LanguageQueue(ticket.terms.channel, base_language(ticket.terms.language))


def coverage_of(
    specialists: Iterable[Specialist], queues: Collection[LanguageQueue]
) -> dict[LanguageQueue, Coverage]:
    """Return the coverage of some queues; stop early once a specialist is on shift for each.

    If no listed specialist speaks a language, English speakers count (as in `Roster.needs`).
    """
    wanted = {*queues, *(LanguageQueue(queue.channel, _ENGLISH) for queue in queues)}
    opens: dict[LanguageQueue, datetime] = {}
    closed = set(wanted)
    for specialist in specialists:
        if not closed:
            break
        at = _on_shift_at(specialist)
        for queue in _served(specialist):
            if queue in wanted:
                opens[queue] = min(at, opens.get(queue, NEVER))
                if at == COVERED_NOW:
                    closed.discard(queue)
    return {queue: _coverage(queue, opens) for queue in queues}


def is_infeasible(ticket: Ticket, until: datetime, now: datetime) -> bool:
    """Return whether a ticket waits and is due after ``now``, at ``until`` at the latest.

    ``until`` is when coverage begins.
    """
    return ticket.waits and ticket.due_at is not None and now < ticket.due_at <= until


def withdrawal_reason(ticket: Ticket, now: datetime) -> Withdrawal:
    """Return why a ticket is no longer infeasible, by its present state."""
    if not ticket.needs_specialist:
        return "over"
    if not ticket.waits:
        return "assigned"
    return "past_due" if ticket.due_at is not None and ticket.due_at <= now else "repriced"


def _coverage(queue: LanguageQueue, opens: dict[LanguageQueue, datetime]) -> Coverage:
    english = LanguageQueue(queue.channel, _ENGLISH)
    qualified = queue if queue in opens or english not in opens else english
    return Coverage(opens.get(qualified, NEVER), qualified.language)


def _on_shift_at(specialist: Specialist) -> datetime:
    if specialist.on_shift:
        return COVERED_NOW
    return specialist.turns_at or NEVER


def _served(specialist: Specialist) -> Iterator[LanguageQueue]:
    if specialist.removed or not specialist.certified:
        return
    languages = {base_language(language) for language in specialist.languages}
    for channel, capacity in specialist.capacity.items():
        most = capacity if specialist.universal is None else specialist.universal
        if min(capacity, most // specialist.weights.get(channel, 1)) > 0:
            for language in languages:
                yield LanguageQueue(channel, language)
