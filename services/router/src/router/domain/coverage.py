"""From when on anybody will be there for a pool: what is due by then, nobody can meet."""

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
    "describe",
    "is_infeasible",
    "language_queue_of",
    "withdrawal_reason",
]

COVERED_NOW: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Somebody is on shift; nothing is due as early."""
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_ENGLISH: Final = "en"


class LanguageQueue(NamedTuple):
    """Tickets of one channel and language, without its region."""

    channel: Channel
    language: str


class Coverage(NamedTuple):
    """When the next qualified specialist is on shift, and which language they speak.

    `OPEN` while one is, `NEVER` where nobody is qualified. Presence does not count: who is on
    shift and away may come back, and says nothing of when.
    """

    opens_at: datetime
    spoken: str

    @property
    def constraint(self) -> Constraint:
        """Name what stands in the way."""
        return "no_skill" if self.opens_at == NEVER else "no_shift"


def language_queue_of(ticket: Ticket) -> LanguageQueue:
    """Find the pool of an accepted ticket."""
    return LanguageQueue(ticket.terms.channel, base_language(ticket.terms.language))


def coverage_of(
    people: Iterable[Specialist], queues: Collection[LanguageQueue]
) -> dict[LanguageQueue, Coverage]:
    """Look at everybody once, and at nobody more when somebody is there for every pool.

    Where nobody on the roster speaks a language, English speakers stand in (`Roster.needs`).
    """
    wanted = {*queues, *(LanguageQueue(queue.channel, _ENGLISH) for queue in queues)}
    opens: dict[LanguageQueue, datetime] = {}
    closed = set(wanted)
    for person in people:
        if not closed:
            break
        at = _on_shift_at(person)
        for queue in _served(person):
            if queue in wanted:
                opens[queue] = min(at, opens.get(queue, NEVER))
                if at == COVERED_NOW:
                    closed.discard(queue)
    return {queue: _outlook(queue, opens) for queue in queues}


def is_infeasible(ticket: Ticket, until: datetime, now: datetime) -> bool:
    """Tell whether a ticket waits, and is due before anybody is there, though not yet due."""
    return ticket.waits and ticket.due_at is not None and now < ticket.due_at <= until


def withdrawal_reason(ticket: Ticket, now: datetime) -> Withdrawal:
    """Say why a ticket that was infeasible is not, by what became of it."""
    if not ticket.needs_specialist:
        return "over"
    if not ticket.waits:
        return "assigned"
    return "past_due" if ticket.due_at is not None and ticket.due_at <= now else "repriced"


def describe(channel: Channel, coverage: Coverage, due_at: datetime) -> str:
    """Say to people what stands in the way."""
    if coverage.constraint == "no_skill":
        in_english = "" if coverage.spoken == _ENGLISH else ", nor in English"
        return f"nobody on the roster takes {channel} in `{coverage.spoken}`{in_english}"
    opens_at, due_at = coverage.opens_at.astimezone(UTC), due_at.astimezone(UTC)
    day = "" if opens_at.date() == due_at.date() else f"{opens_at:%Y-%m-%d} "
    return f"no `{coverage.spoken}` {channel} on shift before {day}{opens_at:%H:%M}Z"


def _outlook(queue: LanguageQueue, opens: dict[LanguageQueue, datetime]) -> Coverage:
    english = LanguageQueue(queue.channel, _ENGLISH)
    qualified = queue if queue in opens or english not in opens else english
    return Coverage(opens.get(qualified, NEVER), qualified.language)


def _on_shift_at(person: Specialist) -> datetime:
    if person.on_shift:
        return COVERED_NOW
    return person.turns_at or NEVER


def _served(person: Specialist) -> Iterator[LanguageQueue]:
    if person.removed or not person.certified:
        return
    languages = {base_language(language) for language in person.languages}
    for channel, capacity in person.capacity.items():
        most = capacity if person.universal is None else person.universal
        if min(capacity, most // person.weights.get(channel, 1)) > 0:
            for language in languages:
                yield LanguageQueue(channel, language)
