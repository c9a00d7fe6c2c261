"""What each page shows, read in one transaction: values, so that two of them can be compared."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from router.domain.coverage import Coverage, describe
from router.pages.history import Line, assignment_reason, history
from router.pages.rows import Row, pool_of, row_of
from router.service.routing import RoutingService
from router.store import pages as page_store
from router.store.coverage import infeasible_tickets
from router.store.tickets import decisions_on
from shared.events import AssignmentExplained, Presence
from shared.platform.postgres import Tx
from shared.platform.postgres import now as time
from shared.sla.promises import Channel
from shared.tickets.decisions import told
from shared.web.formatting import clock_time
from shared.web.visitors import Missing

__all__ = [
    "InfeasibleRow",
    "LeadView",
    "Owner",
    "SpecialistRow",
    "SpecialistView",
    "TicketView",
    "read_lead_view",
    "read_specialist_view",
    "read_ticket_view",
]

_ENDED: Final = ("resolved", "closed", "reached")
_ABSENT: Final = ("online", "away", "offline")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose inbox it is."""

    name: str
    called: str
    presence: Presence
    on_shift: bool
    turns_at: datetime | None
    zone: str
    unanswered: int = 0
    """So many offers in a row expired that they were set away; 0: they were not."""


@dataclass(frozen=True, slots=True)
class SpecialistView:
    """A specialist's page: what is theirs, in the order of what is due."""

    owner: Owner
    offers: tuple[Row, ...]
    mine: tuple[Row, ...]
    waiting: tuple[Row, ...]
    """Answered, and the customer has the word."""
    done: tuple[Row, ...]

    @property
    def next_due(self) -> Row | None:
        """What is due next."""
        rows = (*self.offers, *self.mine)
        due = [(row.due_at, row) for row in rows if row.due_at is not None and not row.state]
        return min(due, key=itemgetter(0), default=(None, None))[1]


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket, opened."""

    row: Row
    called: Mapping[str, str]
    """What those are called who have to do with it."""
    takers: tuple[tuple[str, str], ...]
    """Who serves its channel, by id and name; those first who could take it now."""
    lines: tuple[Line, ...]
    because: str
    """Why it is with whom it is, or with nobody, in short."""
    decision: tuple[str, ...]
    """The decision behind that, in words: none where a lead decided."""
    zone: str


@dataclass(frozen=True, slots=True)
class SpecialistRow:
    """A person, and how much they hold: ``room`` by channel is what they hold of what they can."""

    name: str
    called: str
    presence: Presence
    on_shift: bool
    turns_at: datetime | None
    languages: tuple[str, ...]
    team: str | None
    room: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class InfeasibleRow:
    """A ticket whose promise nobody can keep, and what binds."""

    ticket_id: UUID
    account: str
    channel: Channel
    language: str
    due_at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class LeadView:
    """The lead's page: who waits and why, who holds how much."""

    owner: Owner
    unanswered: tuple[Row, ...]
    """Those who wait because nobody answers."""
    queue: tuple[Row, ...]
    fitting: int
    """How many wait of whom the queue shows a page."""
    pools: tuple[tuple[Channel, str, int], ...]
    people: tuple[SpecialistRow, ...]
    infeasible: tuple[InfeasibleRow, ...]
    zone: str

    @property
    def waiting(self) -> int:
        """How many wait in all."""
        return sum(count for _, _, count in self.pools)


async def read_specialist_view(tx: Tx, name: str, now: datetime) -> SpecialistView:
    """Read a specialist's page. Raises Missing."""
    owner = await _owner(tx, name)
    there = now.astimezone(ZoneInfo(owner.zone))
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0)
    past = [row_of(read) for read in await page_store.done(tx, name, midnight)]
    return SpecialistView(
        owner=owner,
        offers=tuple(row_of(read) for read in await page_store.offered(tx, name)),
        mine=tuple(row_of(read) for read in await page_store.held(tx, name)),
        waiting=tuple(row_of(read) for read in await page_store.answered(tx, name)),
        done=tuple(row for row in past if row.state in _ENDED),
    )


async def read_ticket_view(
    tx: Tx, routing: RoutingService, ticket_id: UUID, reader: str, now: datetime
) -> TicketView:
    """Read a ticket, for somebody's eyes. Raises Missing."""
    read = await page_store.ticket(tx, ticket_id)
    owner = await _owner(tx, reader)
    if read is None or read["account_id"] is None:
        raise Missing("There is no such ticket.")
    [row] = await _rows(tx, routing, [read])
    facts, acts = await page_store.timeline(tx, ticket_id)
    current_specialist_id = row.holder or row.offered_to
    records = await decisions_on(tx, ticket_id)
    decision = AssignmentExplained.model_validate_json(records[-1]) if records else None
    if row.done or (decision is not None and decision.specialist_id != current_specialist_id):
        decision = None
    people = [name for name in (row.holder, row.offered_to, row.pinned_to) if name]
    called = await page_store.names(tx, people)
    takers = await page_store.specialists_for(tx, row.channel)
    return TicketView(
        row=row,
        called=called,
        takers=tuple((taker["specialist_id"], taker["name"]) for taker in takers),
        lines=tuple(history(facts, acts)),
        because=assignment_reason(decision, acts, current_specialist_id),
        decision=() if decision is None else _told(decision, owner.zone, now),
        zone=owner.zone,
    )


async def read_lead_view(
    tx: Tx, routing: RoutingService, name: str, asked: page_store.QueueFilter, team: str | None
) -> LeadView:
    """Read the lead's page. Raises Missing."""
    owner = await _owner(tx, name)
    pools = await page_store.queue_sizes(tx)
    rang = await _rows(tx, routing, await page_store.unanswered(tx))
    return LeadView(
        owner=owner,
        unanswered=tuple(row for row in rang if row.waits == "no_answer"),
        queue=await _rows(tx, routing, await page_store.queue(tx, asked)),
        fitting=sum(pool["waiting"] for pool in pools if asked.shows(pool)),
        pools=tuple((pool["channel"], pool["language"], pool["waiting"]) for pool in pools),
        people=tuple(_worker(read) for read in await page_store.people(tx, team, by_load=True)),
        infeasible=tuple(_stuck(read) for read in await infeasible_tickets(tx, await time(tx))),
        zone=owner.zone,
    )


async def _rows(
    tx: Tx, routing: RoutingService, reads: Iterable[Mapping[str, Any]]
) -> tuple[Row, ...]:
    """Make rows, each with why it waits now; not of when it began to."""
    pools = {pool for read in reads if (pool := pool_of(read)) is not None}
    waits = await routing.why_waiting(tx, pools) if pools else {}
    return tuple(row_of(read, waits) for read in reads)


async def _owner(tx: Tx, name: str) -> Owner:
    read = await page_store.person(tx, name)
    if read is None:
        raise Missing(f"{name} is not on the roster.")
    return Owner(
        name=name,
        called=read["name"],
        presence=_seen(read),
        on_shift=read["on_shift"],
        turns_at=read["turns_at"],
        zone=read["zone"],
        unanswered=read["unanswered"] if read["away"] == "unanswered" else 0,
    )


def _told(record: AssignmentExplained, zone: str, now: datetime) -> tuple[str, ...]:
    return tuple(line.text for line in told(record, lambda at: clock_time(at, zone, now)))


def _seen(read: Any) -> Presence:  # noqa: ANN401 - a record is any
    """Take the more absent of the roster's word and their own."""
    own: Presence = "away" if read["away"] else "online"
    presence: Presence = max(read["presence"], read["said"] or "online", own, key=_ABSENT.index)
    return presence


def _stuck(read: Mapping[str, Any]) -> InfeasibleRow:
    coverage = Coverage(read["opens_at"], read["spoken"])
    return InfeasibleRow(
        ticket_id=read["ticket_id"],
        account=read["account_id"],
        channel=read["channel"],
        language=read["language"],
        due_at=read["due_at"],
        words=describe(read["channel"], coverage, read["due_at"]),
    )


def _worker(read: Any) -> SpecialistRow:  # noqa: ANN401 - a record is any
    room: dict[str, list[int]] = json.loads(read["room"])
    return SpecialistRow(
        name=read["specialist_id"],
        called=read["name"],
        presence=_seen(read),
        on_shift=read["on_shift"],
        turns_at=read["turns_at"],
        languages=tuple(read["languages"]),
        team=read["team"],
        room=tuple((on, load, most) for on, (load, most) in sorted(room.items()) if most or load),
    )
