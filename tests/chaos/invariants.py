"""What must never be, whoever acts and whatever is killed: by queries, and of what was told."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self
from uuid import UUID

from shared.events import (
    CATALOGUE,
    AssignmentHandedBack,
    AssignmentReleased,
    Event,
    OfferFact,
    TicketAssigned,
    TicketDeclined,
    TicketOffered,
)
from shared.platform.postgres import Database

__all__ = ["Fact", "announced", "found_wrong", "told_wrong"]

HELD: Final = "SELECT ticket_id, specialist_id FROM ticket WHERE specialist_id IS NOT NULL"
RINGS: Final = "SELECT ticket_id, offer_id FROM offer WHERE state = 'open'"
WRONG: Final = {
    "holds more than they can": """
        SELECT specialist_id, channel, load, capacity FROM capacity WHERE load > capacity
    """,
    "is counted with another load than they hold": """
        SELECT specialist_id, channel, load, count(t.ticket_id)
        FROM capacity AS c LEFT JOIN (
            SELECT ticket_id, specialist_id, channel FROM ticket WHERE specialist_id IS NOT NULL
            UNION ALL
            SELECT ticket_id, o.specialist_id, channel FROM offer AS o JOIN ticket USING (ticket_id)
            WHERE o.state = 'open'
        ) AS t USING (specialist_id, channel)
        GROUP BY specialist_id, channel, load HAVING load <> count(t.ticket_id)
    """,
    "is with two": """
        SELECT ticket_id FROM ticket JOIN offer USING (ticket_id)
        WHERE offer.state = 'open' AND ticket.specialist_id IS NOT NULL
        UNION ALL
        SELECT ticket_id FROM offer WHERE state = 'open' GROUP BY ticket_id HAVING count(*) > 1
    """,
    "is forgotten": """
        SELECT ticket_id FROM (
            SELECT ticket_id, released, held_until,
                   waiting OR specialist_id IS NOT NULL
                   OR EXISTS (SELECT FROM offer AS o WHERE o.ticket_id = t.ticket_id
                              AND o.state = 'open') AS seen_to
            FROM ticket AS t WHERE account_id IS NOT NULL
        ) AS t
        WHERE CASE WHEN released THEN seen_to ELSE NOT seen_to AND held_until IS NULL END
    """,
    "waits though somebody could take it": """
        SELECT ticket_id, c.specialist_id
        FROM ticket JOIN capacity AS c USING (channel) JOIN presence AS p
            ON p.specialist_id = c.specialist_id JOIN specialist AS s
            ON s.specialist_id = c.specialist_id
        WHERE waiting AND pinned_to IS NULL AND load < capacity AND said = 'online'
              AND away IS NULL
              AND NOT excluded_until ? c.specialist_id
    """,
    "is with somebody who is offline": """
        SELECT ticket_id FROM ticket JOIN presence USING (specialist_id)
        WHERE said = 'offline' AND hand_back_at IS NULL
    """,
    "is parked": "SELECT reason, detail FROM dead_letter",
}
_ALL_WRONG: Final = " UNION ALL ".join(
    f"SELECT found::text, '{what}' AS what FROM ({query}) AS found"  # noqa: S608 - they are ours
    for what, query in WRONG.items()
)
TOLD: Final = """
    SELECT convert_from(key, 'UTF8') AS key, headers, convert_from(value, 'UTF8') AS value
    FROM outbox ORDER BY id
"""


class Fact(NamedTuple):
    """What was announced, without what says only how it went: the trace."""

    key: str
    id: str
    type: str
    time: str
    value: str

    @classmethod
    def read(cls, key: str, headers: Iterable[tuple[str, str]], value: str) -> Self:
        """Make it of a record's parts."""
        of = dict(headers)
        return cls(key, of["ce_id"], of["ce_type"], of["ce_time"], value)


async def found_wrong(db: Database) -> list[str]:
    """Look for what must never be, all at one moment; a line for each."""
    async with db.session() as session:
        return [f"{row['found']} {row['what']}" for row in await session.fetch(_ALL_WRONG)]


async def announced(db: Database) -> list[Fact]:
    """Read what lies in the outbox."""
    async with db.session() as session:
        rows = await session.fetch(TOLD)
    return [Fact.read(row["key"], json.loads(row["headers"]), row["value"]) for row in rows]


async def told_wrong(db: Database, facts: Iterable[Fact] | None = None) -> list[str]:
    """Fold all that was announced: it names one at a time, and in the end who has it.

    ``facts`` are those read from the topic; else all are in the outbox still.
    """
    facts = await announced(db) if facts is None else facts
    told = _Told()
    ids: Counter[str] = Counter()
    for fact in facts:
        ids[fact.id] += 1
        told.hear(CATALOGUE[fact.type].model_validate_json(fact.value))
    wrong = told.wrong + [f"{name} was told {times}x" for name, times in ids.items() if times > 1]
    async with db.session() as session:
        held, rings = dict(await session.fetch(HELD)), dict(await session.fetch(RINGS))
    if told.has != held:
        wrong.append("who was told to have what is not who has it")
    if told.rings != rings:
        wrong.append("what was told to ring is not what rings")
    return wrong


@dataclass
class _Told:
    """Who has what, and at whom it rings, as a reader of the topic knows it."""

    has: dict[UUID, str] = field(default_factory=dict)
    rings: dict[UUID, UUID] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        """Fold a fact in."""
        match event:
            case TicketOffered():
                self._demand_free(event.ticket_id)
                self.rings[event.ticket_id] = event.offer_id
            case OfferFact():
                if self.rings.pop(event.ticket_id, None) != event.offer_id:
                    self.wrong.append(f"{event.offer_id} was told to end twice")
            case TicketAssigned():
                self._demand_free(event.ticket_id)
                self.has[event.ticket_id] = event.specialist_id
            case TicketDeclined() | AssignmentReleased() | AssignmentHandedBack():
                if self.has.pop(event.ticket_id, None) != event.specialist_id:
                    self.wrong.append(f"{event.ticket_id} was told to leave who had not got it")
            case _:
                pass

    def _demand_free(self, ticket_id: UUID) -> None:
        if ticket_id in self.rings or ticket_id in self.has:
            self.wrong.append(f"{ticket_id} was told to be with two")
