"""From when on anybody will be there for a pool: what is due by then, nobody can meet."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from router.domain.specialist import Specialist
from router.domain.ticket import Ticket, base
from shared.events import Constraint, Withdrawal
from shared.sla.promises import Channel

__all__ = [
    "NEVER",
    "OPEN",
    "Outlook",
    "Pool",
    "is_infeasible",
    "outlooks",
    "pool_of",
    "why_no_more",
    "words",
]

OPEN: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Somebody is on shift; nothing is due as early."""
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_ENGLISH: Final = "en"


class Pool(NamedTuple):
    """Tickets of one channel and language, without its region."""

    channel: Channel
    language: str


class Outlook(NamedTuple):
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


def pool_of(ticket: Ticket) -> Pool:
    """Find the pool of an accepted ticket."""
    return Pool(ticket.terms.channel, base(ticket.terms.language))


def outlooks(people: Iterable[Specialist], pools: Collection[Pool]) -> dict[Pool, Outlook]:
    """Look at everybody once, and at nobody more when somebody is there for every pool.

    Where nobody on the roster speaks a language, English speakers stand in (`Roster.needs`).
    """
    wanted = {*pools, *(Pool(pool.channel, _ENGLISH) for pool in pools)}
    opens: dict[Pool, datetime] = {}
    closed = set(wanted)
    for person in people:
        if not closed:
            break
        at = _on_shift_at(person)
        for pool in _served(person):
            if pool in wanted:
                opens[pool] = min(at, opens.get(pool, NEVER))
                if at == OPEN:
                    closed.discard(pool)
    return {pool: _outlook(pool, opens) for pool in pools}


def is_infeasible(ticket: Ticket, until: datetime, now: datetime) -> bool:
    """Tell whether a ticket waits, and is due before anybody is there, though not yet due."""
    return ticket.waits and ticket.due_at is not None and now < ticket.due_at <= until


def why_no_more(ticket: Ticket, now: datetime) -> Withdrawal:
    """Say why a ticket that was infeasible is not, by what became of it."""
    if not ticket.needs_specialist:
        return "over"
    if not ticket.waits:
        return "assigned"
    return "past_due" if ticket.due_at is not None and ticket.due_at <= now else "repriced"


def words(channel: Channel, outlook: Outlook, due_at: datetime) -> str:
    """Say to people what stands in the way."""
    if outlook.constraint == "no_skill":
        in_english = "" if outlook.spoken == _ENGLISH else ", nor in English"
        return f"nobody on the roster takes {channel} in `{outlook.spoken}`{in_english}"
    opens_at, due_at = outlook.opens_at.astimezone(UTC), due_at.astimezone(UTC)
    day = "" if opens_at.date() == due_at.date() else f"{opens_at:%Y-%m-%d} "
    return f"no `{outlook.spoken}` {channel} on shift before {day}{opens_at:%H:%M}Z"


def _outlook(pool: Pool, opens: dict[Pool, datetime]) -> Outlook:
    english = Pool(pool.channel, _ENGLISH)
    qualified = pool if pool in opens or english not in opens else english
    return Outlook(opens.get(qualified, NEVER), qualified.language)


def _on_shift_at(person: Specialist) -> datetime:
    if person.on_shift:
        return OPEN
    return person.turns_at or NEVER


def _served(person: Specialist) -> Iterator[Pool]:
    if person.removed or not person.certified:
        return
    languages = {base(language) for language in person.languages}
    for channel, capacity in person.capacity.items():
        most = capacity if person.universal is None else person.universal
        if min(capacity, most // person.weights.get(channel, 1)) > 0:
            for language in languages:
                yield Pool(channel, language)
