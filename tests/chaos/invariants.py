"""Invariants of router, checked in its tables and in its published facts."""

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

__all__ = ["PublishedFact", "outbox_facts", "violations_in_facts", "violations_in_tables"]

HELD: Final = "SELECT ticket_id, specialist_id FROM ticket WHERE specialist_id IS NOT NULL"
RINGS: Final = "SELECT ticket_id, offer_id FROM offer WHERE state = 'open'"
VIOLATIONS: Final = {
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
    "is assigned twice": """
        SELECT ticket_id FROM ticket JOIN offer USING (ticket_id)
        WHERE offer.state = 'open' AND ticket.specialist_id IS NOT NULL
        UNION ALL
        SELECT ticket_id FROM offer WHERE state = 'open' GROUP BY ticket_id HAVING count(*) > 1
    """,
    "is neither waiting nor assigned": """
        SELECT ticket_id FROM (
            SELECT ticket_id, released, held_until,
                   waiting OR specialist_id IS NOT NULL
                   OR EXISTS (SELECT FROM offer AS o WHERE o.ticket_id = t.ticket_id
                              AND o.state = 'open') AS seen_to
            FROM ticket AS t WHERE account_id IS NOT NULL
        ) AS t
        WHERE CASE WHEN released THEN seen_to ELSE NOT seen_to AND held_until IS NULL END
    """,
    "waits although a specialist could take it": """
        SELECT ticket_id, c.specialist_id
        FROM ticket JOIN capacity AS c USING (channel) JOIN presence AS p
            ON p.specialist_id = c.specialist_id JOIN specialist AS s
            ON s.specialist_id = c.specialist_id
        WHERE waiting AND pinned_to IS NULL AND load < capacity AND said = 'online'
              AND away IS NULL
              AND NOT excluded_until ? c.specialist_id
    """,
    "is assigned to a specialist who is offline": """
        SELECT ticket_id FROM ticket JOIN presence USING (specialist_id)
        WHERE said = 'offline' AND hand_back_at IS NULL
    """,
    "is a dead letter": "SELECT reason, detail FROM dead_letter",
}
_ALL_VIOLATIONS: Final = " UNION ALL ".join(
    f"SELECT found::text, '{what}' AS what FROM ({query}) AS found"  # noqa: S608 - they are ours
    for what, query in VIOLATIONS.items()
)
OUTBOX: Final = """
    SELECT convert_from(key, 'UTF8') AS key, headers, convert_from(value, 'UTF8') AS value
    FROM outbox ORDER BY id
"""


class PublishedFact(NamedTuple):
    """A published fact, without its trace id."""

    key: str
    id: str
    type: str
    time: str
    value: str

    @classmethod
    def read(cls, key: str, headers: Iterable[tuple[str, str]], value: str) -> Self:
        """Read a fact from a record's parts."""
        of = dict(headers)
        return cls(key, of["ce_id"], of["ce_type"], of["ce_time"], value)


async def violations_in_tables(db: Database) -> list[str]:
    """Check all invariants in one snapshot; return a line for each violation."""
    async with db.session() as session:
        return [f"{row['found']} {row['what']}" for row in await session.fetch(_ALL_VIOLATIONS)]


async def outbox_facts(db: Database) -> list[PublishedFact]:
    """Read the facts in the outbox."""
    async with db.session() as session:
        rows = await session.fetch(OUTBOX)
    return [
        PublishedFact.read(row["key"], json.loads(row["headers"]), row["value"]) for row in rows
    ]


async def violations_in_facts(
    db: Database, facts: Iterable[PublishedFact] | None = None
) -> list[str]:
    """Check that facts assign a ticket to one specialist at a time, and agree with the tables.

    ``facts`` are those of the topic; by default all are still in the outbox.
    """
    facts = await outbox_facts(db) if facts is None else facts
    published = _PublishedState()
    ids: Counter[str] = Counter()
    for fact in facts:
        ids[fact.id] += 1
        published.apply(CATALOGUE[fact.type].model_validate_json(fact.value))
    violations = published.violations + [
        f"{name} was published {times}x" for name, times in ids.items() if times > 1
    ]
    async with db.session() as session:
        held, rings = dict(await session.fetch(HELD)), dict(await session.fetch(RINGS))
    if published.has != held:
        violations.append("published assignments differ from the tables")
    if published.rings != rings:
        violations.append("published offers differ from the tables")
    return violations


@dataclass
class _PublishedState:
    """The assignments and offers that the facts lead to."""

    has: dict[UUID, str] = field(default_factory=dict)
    rings: dict[UUID, UUID] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Apply a fact."""
        match event:
            case TicketOffered():
                self._check_free(event.ticket_id)
                self.rings[event.ticket_id] = event.offer_id
            case OfferFact():
                if self.rings.pop(event.ticket_id, None) != event.offer_id:
                    self.violations.append(f"{event.offer_id} ended twice")
            case TicketAssigned():
                self._check_free(event.ticket_id)
                self.has[event.ticket_id] = event.specialist_id
            case TicketDeclined() | AssignmentReleased() | AssignmentHandedBack():
                if self.has.pop(event.ticket_id, None) != event.specialist_id:
                    self.violations.append(
                        f"{event.ticket_id} left a specialist who did not have it"
                    )
            case _:
                pass

    def _check_free(self, ticket_id: UUID) -> None:
        if ticket_id in self.rings or ticket_id in self.has:
            self.violations.append(f"{ticket_id} was assigned or offered twice")
