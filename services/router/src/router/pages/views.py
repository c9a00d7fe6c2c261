"""The data of each page, read in one transaction as values that can be compared."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from router.domain.coverage import Coverage
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
from shared.web.formatting import clock_time, span
from shared.web.visitors import Missing
from shared.wording import Reader
from shared.wording.assignments import set_away
from shared.wording.decisions import explain
from shared.wording.waiting import missing_coverage

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
    """The specialist whose page it is."""

    name: str
    called: str
    presence: Presence
    on_shift: bool
    turns_at: datetime | None
    zone: str
    unanswered: int = 0
    """How many unanswered offers set them away; 0 if that is not why."""

    def was_set_away(self, *, mine: bool) -> str:
        """Describe why a specialist was set away, addressed to them if the page is ``mine``."""
        name = None if mine else self.called
        return set_away(name, self.unanswered, Reader(duration=span))


@dataclass(frozen=True, slots=True)
class SpecialistView:
    """A specialist's page: offers, open tickets, answered ones and those finished today."""

    owner: Owner
    offers: tuple[Row, ...]
    mine: tuple[Row, ...]
    waiting: tuple[Row, ...]
    """Answered tickets to which the customer may reply."""
    done: tuple[Row, ...]

    @property
    def next_due(self) -> Row | None:
        """The ticket that is due next."""
        rows = (*self.offers, *self.mine)
        due = [(row.due_at, row) for row in rows if row.due_at is not None and not row.state]
        return min(due, key=itemgetter(0), default=(None, None))[1]


@dataclass(frozen=True, slots=True)
class TicketView:
    """An opened ticket."""

    row: Row
    called: Mapping[str, str]
    """The names of the specialists whom its page mentions, by id."""
    takers: tuple[tuple[str, str], ...]
    """Id and name of those who serve its channel; those who can take it now come first."""
    lines: tuple[Line, ...]
    because: str
    """Why it is with its specialist, or waits, in short."""
    decision: tuple[str, ...]
    """The sentences of the decision record; empty if a lead decided."""
    zone: str


@dataclass(frozen=True, slots=True)
class SpecialistRow:
    """A specialist and their load: ``room`` has channel, load and capacity."""

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
    """A ticket whose promise no specialist can meet, and why."""

    ticket_id: UUID
    account: str
    channel: Channel
    language: str
    due_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class LeadView:
    """The lead's page: waiting tickets, specialists and infeasible promises."""

    owner: Owner
    unanswered: tuple[Row, ...]
    """Tickets that wait after no specialist answered."""
    queue: tuple[Row, ...]
    fitting: int
    """How many waiting tickets match the filter."""
    pools: tuple[tuple[Channel, str, int], ...]
    people: tuple[SpecialistRow, ...]
    infeasible: tuple[InfeasibleRow, ...]
    zone: str

    @property
    def waiting(self) -> int:
        """The number of waiting tickets, whatever the filter."""
        return sum(count for _, _, count in self.pools)


async def read_specialist_view(tx: Tx, name: str, now: datetime) -> SpecialistView:
    """Read a specialist's page. Raises Missing."""
    owner = await _owner(tx, name)
    there = now.astimezone(ZoneInfo(owner.zone))
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0)
    past = [row_of(record) for record in await page_store.done(tx, name, midnight)]
    return SpecialistView(
        owner=owner,
        offers=tuple(row_of(record) for record in await page_store.offered(tx, name)),
        mine=tuple(row_of(record) for record in await page_store.held(tx, name)),
        waiting=tuple(row_of(record) for record in await page_store.answered(tx, name)),
        done=tuple(row for row in past if row.state in _ENDED),
    )


async def read_ticket_view(
    tx: Tx, routing: RoutingService, ticket_id: UUID, visitor: str, now: datetime
) -> TicketView:
    """Read one ticket, with times in the visitor's zone. Raises Missing if it is unknown."""
    record = await page_store.ticket(tx, ticket_id)
    owner = await _owner(tx, visitor)
    if record is None or record["account_id"] is None:
        raise Missing("There is no such ticket.")
    [row] = await _rows(tx, routing, [record])
    facts, commands = await page_store.timeline(tx, ticket_id)
    current_specialist_id = row.holder or row.offered_to
    records = await decisions_on(tx, ticket_id)
    decision = AssignmentExplained.model_validate_json(records[-1]) if records else None
    if row.done or (decision is not None and decision.specialist_id != current_specialist_id):
        decision = None
    called = await page_store.names(tx, _people(row, facts, commands, decision))
    reader = _reader(owner.zone, now, called)
    takers = await page_store.specialists_for(tx, row.channel)
    return TicketView(
        row=row,
        called=called,
        takers=tuple((taker["specialist_id"], taker["name"]) for taker in takers),
        lines=tuple(history(facts, commands, reader)),
        because=assignment_reason(decision, commands, current_specialist_id, reader),
        decision=() if decision is None else tuple(line.text for line in explain(decision, reader)),
        zone=owner.zone,
    )


async def read_lead_view(
    tx: Tx, routing: RoutingService, name: str, asked: page_store.QueueFilter, team: str | None
) -> LeadView:
    """Read the lead's page. Raises Missing."""
    owner = await _owner(tx, name)
    now = await time(tx)
    reader = _reader(owner.zone, now, {})
    pools = await page_store.queue_sizes(tx)
    unanswered = await _rows(tx, routing, await page_store.unanswered(tx))
    return LeadView(
        owner=owner,
        unanswered=tuple(row for row in unanswered if row.waits == "no_answer"),
        queue=await _rows(tx, routing, await page_store.queue(tx, asked)),
        fitting=sum(pool["waiting"] for pool in pools if asked.shows(pool)),
        pools=tuple((pool["channel"], pool["language"], pool["waiting"]) for pool in pools),
        people=tuple(
            _specialist_row(record)
            for record in await page_store.specialists(tx, team, by_load=True)
        ),
        infeasible=tuple(
            _infeasible_row(record, reader) for record in await infeasible_tickets(tx, now)
        ),
        zone=owner.zone,
    )


async def _rows(
    tx: Tx, routing: RoutingService, records: Iterable[Mapping[str, Any]]
) -> tuple[Row, ...]:
    """Build rows, each with the present reason why it waits."""
    pools = {pool for record in records if (pool := pool_of(record)) is not None}
    waits = await routing.why_waiting(tx, pools) if pools else {}
    return tuple(row_of(record, waits) for record in records)


async def _owner(tx: Tx, name: str) -> Owner:
    record = await page_store.person(tx, name)
    if record is None:
        raise Missing(f"{name} is not on the roster.")
    return Owner(
        name=name,
        called=record["name"],
        presence=_effective_presence(record),
        on_shift=record["on_shift"],
        turns_at=record["turns_at"],
        zone=record["zone"],
        unanswered=record["unanswered"] if record["away"] == "unanswered" else 0,
    )


def _reader(zone: str, now: datetime, names: Mapping[str, str]) -> Reader:
    """Return how a page writes times (in ``zone``) and specialists (by name, if known)."""
    return Reader(
        duration=span,
        moment=lambda at: clock_time(at, zone, now),
        name=lambda specialist_id: names.get(specialist_id, specialist_id),
    )


def _people(
    row: Row,
    facts: Iterable[Mapping[str, Any]],
    commands: Iterable[Mapping[str, Any]],
    decision: AssignmentExplained | None,
) -> set[str]:
    """Return the ids of the specialists whom the page of a ticket mentions."""
    ids = {row.holder, row.offered_to, row.pinned_to}
    ids |= {one for fact in facts for one in (fact["specialist_id"], fact["by"])}
    ids |= {one for command in commands for one in (command["actor"], command["to_id"])}
    if decision is not None:
        ids |= {one.specialist_id for one in decision.candidates}
        ids |= {decision.wanted.pinned_to}
    return {one for one in ids if one}


def _effective_presence(record: Any) -> Presence:  # noqa: ANN401 - a record is any
    """Return the most absent of the roster's presence, the reported one and `away`."""
    own: Presence = "away" if record["away"] else "online"
    presence: Presence = max(record["presence"], record["said"] or "online", own, key=_ABSENT.index)
    return presence


def _infeasible_row(record: Mapping[str, Any], reader: Reader) -> InfeasibleRow:
    coverage = Coverage(record["opens_at"], record["spoken"])
    return InfeasibleRow(
        ticket_id=record["ticket_id"],
        account=record["account_id"],
        channel=record["channel"],
        language=record["language"],
        due_at=record["due_at"],
        why=missing_coverage(record["channel"], coverage.spoken, coverage.next_shift_at, reader),
    )


def _specialist_row(record: Any) -> SpecialistRow:  # noqa: ANN401 - a record is any
    room: dict[str, list[int]] = json.loads(record["room"])
    return SpecialistRow(
        name=record["specialist_id"],
        called=record["name"],
        presence=_effective_presence(record),
        on_shift=record["on_shift"],
        turns_at=record["turns_at"],
        languages=tuple(record["languages"]),
        team=record["team"],
        room=tuple((on, load, most) for on, (load, most) in sorted(room.items()) if most or load),
    )
