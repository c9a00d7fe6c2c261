"""SQL of the callback ledgers."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from router.domain.assignment.state import AssignmentState
from router.domain.callbacks.ledger import Attempt, CallbackEvent, CallbackRequest
from router.domain.callbacks.ledger_session import LedgerEntry, LedgerSession
from shared.events import Envelope, Event, TicketAccepted
from shared.platform.postgres import Tx

__all__ = ["LoadedLedgers", "due", "load", "recent", "save"]

_LISTED_MAX: Final = 500
_COLUMNS: Final = (
    "ticket_id, ledger, number_key, at, due_at, owed, dialled, reopen_within_s, remind_at"
)

# One query, since most tickets have no ledger. An entry is repeated for each of its facts.
LEDGERS: Final = f"""
    WITH entry AS (
        SELECT {_COLUMNS} FROM callback_request WHERE ledger IN (
            SELECT ledger FROM callback_request WHERE ticket_id = ANY($1) OR number_key = ANY($2))
    ), fact AS (
        SELECT fact_id, ticket_id, at AS fact_at, kind, specialist_id, outcome FROM callback_fact
        WHERE ticket_id IN (SELECT unnest($1::uuid[]) UNION SELECT ticket_id FROM entry)
    )
    SELECT * FROM entry FULL JOIN fact USING (ticket_id) ORDER BY at, ticket_id, fact_at, fact_id
"""
DUE: Final = "SELECT ticket_id FROM callback_request WHERE remind_at <= premium_now()"
OPEN: Final = "SELECT ticket_id FROM callback_request WHERE open ORDER BY at LIMIT $1"
RECENT: Final = "SELECT ticket_id FROM callback_request WHERE owed ORDER BY at DESC LIMIT $1"
SAVE_ENTRIES: Final = f"""
    INSERT INTO callback_request ({_COLUMNS}, open)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (ticket_id) DO UPDATE SET number_key = excluded.number_key,
        due_at = excluded.due_at, remind_at = excluded.remind_at, open = excluded.open
"""
SAVE_FACTS: Final = """
    INSERT INTO callback_fact (fact_id, ticket_id, at, kind, specialist_id, outcome)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
DELETE_FACTS: Final = """
    DELETE FROM callback_fact AS f WHERE ticket_id = ANY($1)
        AND NOT EXISTS (SELECT FROM callback_request AS w WHERE w.ticket_id = f.ticket_id)
"""
SAVE_JOINED: Final = """
    UPDATE ticket SET joined_to = new.joined_to
    FROM unnest($1::uuid[], $2::uuid[]) AS new (ticket_id, joined_to)
    WHERE ticket.ticket_id = new.ticket_id
"""


class LoadedLedgers:
    """The rows of some ledgers, from which any number of sessions can start."""

    def __init__(self, rows: Sequence[Any] = ()) -> None:
        self._entries = {row["ticket_id"]: row for row in rows if row["ledger"] is not None}
        self._facts = [_fact(row) for row in rows if row["fact_id"] is not None]

    @property
    def ticket_ids(self) -> set[UUID]:
        """All tickets of these ledgers."""
        return {*self._entries}

    def open(self) -> LedgerSession:
        """Start a session with the ledgers as loaded."""
        return LedgerSession(map(_entry, self._entries.values()), self._facts)


async def load(
    tx: Tx, envelopes: Iterable[Envelope[Event]], ticket_ids: Collection[UUID]
) -> LoadedLedgers:
    """Load the ledgers of tickets, and those of the numbers of newly accepted tickets."""
    accepted = [e.event for e in envelopes if isinstance(e.event, TicketAccepted)]
    keys = [event.number_key for event in accepted if event.number_key is not None]
    if not keys and not ticket_ids:
        return LoadedLedgers()
    return LoadedLedgers(await tx.fetch(LEDGERS, ticket_ids, keys))


async def save(
    tx: Tx, ledgers: LedgerSession, state: AssignmentState, accepted: Collection[UUID]
) -> None:
    """Save changes; delete facts about ``accepted`` tickets that belong to no ledger."""
    ledger_ids = {ledgers.entries[ticket_id].ledger for ticket_id in ledgers.touched}
    changed = [e for e in ledgers.entries.values() if e.ledger in ledger_ids]
    if changed:
        is_open = {
            i for e in changed for call in ledgers.calls(e.request.ticket_id) for i in call.open
        }
        await tx.executemany(SAVE_ENTRIES, [_row(e, is_open) for e in changed])
        joined = [(i, state.tickets[i].joined_to) for i in (e.request.ticket_id for e in changed)]
        await tx.execute(SAVE_JOINED, *zip(*joined, strict=True))
    if ledgers.new_facts:
        await tx.executemany(SAVE_FACTS, map(_fact_row, ledgers.new_facts))
    if unneeded := [i for i in accepted if i not in ledgers.entries and ledgers.has_facts(i)]:
        await tx.execute(DELETE_FACTS, unneeded)


async def due(tx: Tx) -> list[UUID]:
    """Return the tickets whose planned dial is due."""
    return [row["ticket_id"] for row in await tx.fetch(DUE)]


async def recent(tx: Tx, *, only_open: bool) -> tuple[list[UUID], LedgerSession]:
    """Load tickets that are or were owed a call, the latest 500, or the oldest 500 open ones."""
    ids = [row["ticket_id"] for row in await tx.fetch(OPEN if only_open else RECENT, _LISTED_MAX)]
    return ids, (await load(tx, (), ids)).open()


def _entry(row: Any) -> LedgerEntry:  # noqa: ANN401 - a record is any
    request = CallbackRequest(*(row[name] for name in CallbackRequest._fields))
    return LedgerEntry(request, row["ledger"], row["number_key"], row["remind_at"])


def _fact(row: Any) -> CallbackEvent | Attempt:  # noqa: ANN401 - as above
    fact = row["fact_id"], row["ticket_id"], row["fact_at"]
    if row["kind"] == "attempted":
        return Attempt(*fact, row["specialist_id"], row["outcome"])
    return CallbackEvent(*fact, row["kind"])


def _row(entry: LedgerEntry, is_open: set[UUID]) -> tuple[object, ...]:
    request = entry.request
    return (
        *(request.ticket_id, entry.ledger, entry.number_key, request.at, request.due_at),
        *(request.owed, request.dialled, request.reopen_within_s, entry.remind_at),
        request.ticket_id in is_open,
    )


def _fact_row(fact: CallbackEvent | Attempt) -> tuple[object, ...]:
    if isinstance(fact, Attempt):
        return (
            *(fact.id, fact.ticket_id, fact.at, "attempted"),
            *(fact.specialist_id, fact.outcome),
        )
    return fact.id, fact.ticket_id, fact.at, fact.kind, None, None
