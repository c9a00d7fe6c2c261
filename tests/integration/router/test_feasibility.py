"""Infeasible promises on a real PostgreSQL: published at once, withdrawn at once, none missed."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from tests.integration.router.conftest import api_client

from router.domain.coverage import LanguageQueue, coverage_of
from router.domain.matching import default_rules
from router.service.routing import RoutingService
from router.store.roster import load_roster
from shared.events import (
    ClockPaused,
    ClockRepriced,
    Envelope,
    Event,
    TicketClosed,
    TicketResponded,
    ticket_id_of,
)
from shared.platform.postgres import Database, now
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_clock, a_fact, a_specialist, a_ticket, minutes, removed
from shared.testing.databases import FreshDatabase

T1: Final = ticket_id_of("test", "T1")
ANNOUNCED: Final = """
    SELECT headers, convert_from(value, 'UTF8') AS fact FROM outbox ORDER BY id
"""
MARKED: Final = "SELECT ticket_id FROM infeasible"
WAITING: Final = "SELECT ticket_id, channel, base_language, due_at FROM ticket WHERE waiting"
BEHIND: Final = "SELECT count(*) FROM coverage WHERE published_until <> opens_at"
AT_TWO: Final = {"zone": "UTC", "hours": {"mon-fri": ["14:00-18:00"]}}
FROM_TEN: Final = {"zone": "UTC", "hours": {"mon-fri": ["10:00-14:30"]}}
TALK: Final[dict[Channel, int]] = {"email": 1, "phone": 1}
ROOMS: Final[tuple[dict[Channel, int], ...]] = (TALK, {"email": 1}, {"phone": 0})


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as router."""
    made = Database(fresh.dsn, service="router")
    await made.start()
    yield made
    await made.stop()


async def apply(db: Database, *envelopes: Envelope[Event], at: datetime = NOON) -> None:
    """Apply a batch."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).apply_events(tx, envelopes, at)


async def sweep_at(db: Database, at: datetime) -> None:
    """Apply the timers that are due."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).wake(tx, at)


async def events(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """Return the announced events about feasibility, in order."""
    async with db.session() as session:
        rows = await session.fetch(ANNOUNCED)
    facts = [(dict(json.loads(row["headers"]))["ce_type"], json.loads(row["fact"])) for row in rows]
    return [(kind.split(".")[2], fact) for kind, fact in facts if "feasible" in kind]


async def history(db: Database) -> list[str]:
    """Return them in short: `!` infeasible, `-` feasible with the reason."""
    return ["!" if kind == "infeasible" else f"-{f['reason']}" for kind, f in await events(db)]


def yui(**more: Any) -> Envelope[Event]:  # noqa: ANN401 - fields of a roster entry
    """List a specialist who speaks Japanese."""
    return a_specialist("yui", **{"languages": ("ja",), "capacity": TALK, **more})


async def test_a_promise_is_infeasible_at_intake(db: Database) -> None:
    """It is due at 13:00, and the only speaker's shift begins at two."""
    await apply(db, yui(shifts=AT_TWO), a_ticket("T1", language="ja-JP"))
    [(kind, fact)] = await events(db)
    assert kind == "infeasible"
    assert (fact["ticket_id"], fact["language"]) == (str(T1), "ja-JP")
    assert (fact["constraint"], fact["opens_at"]) == ("no_shift", "2026-03-02T14:00:00Z")


async def test_a_promise_with_a_specialist_on_shift_is_feasible(db: Database) -> None:
    """Even if no specialist is present or has room now."""
    busy = a_specialist("ann", capacity={"email": 1})
    away = yui(presence="away")
    await apply(db, busy, away, a_ticket("T1"), a_ticket("T2"), a_ticket("T3", language="ja"))
    assert await events(db) == []


async def test_infeasibility_ends_when_a_shift_begins_earlier(db: Database) -> None:
    """A change of the roster is enough, in both directions."""
    await apply(db, yui(shifts=AT_TWO), a_ticket("T1", language="ja"))
    await apply(db, yui(shifts=FROM_TEN, presence="away", after_min=1))
    assert await history(db) == ["!", "-covered"]
    await apply(db, removed("yui", after_min=2))
    assert await history(db) == ["!", "-covered", "!"]
    assert (await events(db))[-1][1]["constraint"] == "no_skill"
    await apply(db, a_specialist("ann", presence="away", after_min=3))
    assert (await history(db))[3:] == ["-covered"]


async def test_infeasibility_ends_when_the_ticket_is_assigned(db: Database) -> None:
    """A speaker is listed who is on shift."""
    await apply(db, yui(shifts=AT_TWO), a_ticket("T1", language="ja"))
    await apply(db, a_specialist("rin", languages=("ja",)))
    assert (await history(db))[1:] in (["-covered"], ["-assigned"])


async def test_infeasibility_ends_when_the_ticket_is_over(db: Database) -> None:
    """The ticket is answered elsewhere, or closed."""
    await apply(db, yui(shifts=AT_TWO), a_ticket("T1", language="ja"))
    await apply(db, a_fact(TicketClosed, "T1", after_min=1))
    assert await history(db) == ["!", "-over"]


async def test_infeasibility_follows_the_due_time(db: Database) -> None:
    """Due within the hour it is infeasible; due tomorrow, or without a due time, it is not."""
    hour = a_ticket("T1", language="ja", severity="business_critical")
    await apply(db, yui(shifts=AT_TWO), hour)
    await apply(db, a_clock(ClockRepriced, "T1", due_min=24 * 60, target_s=28_800, after_min=1))
    assert await history(db) == ["!", "-repriced"]
    await apply(db, a_clock(ClockRepriced, "T1", due_min=30, target_s=1800, after_min=2))
    assert await history(db) == ["!", "-repriced", "!"]
    await apply(db, a_clock(ClockPaused, "T1", after_min=3))
    assert await history(db) == ["!", "-repriced", "!", "-repriced"]


async def test_the_end_of_a_shift_makes_promises_infeasible(db: Database) -> None:
    """Promises that are due between this shift and the next become infeasible."""
    seat = a_ticket("T1", language="ja", role="seat")
    mondays = {"zone": "UTC", "hours": {"mon": ["10:00-14:30"]}}
    await apply(db, yui(shifts=mondays, presence="away"), seat, a_ticket("T2", language="ja"))
    assert await events(db) == []
    await sweep_at(db, NOON + minutes(150))
    assert await history(db) == ["!"]
    assert (await events(db))[0][1]["opens_at"] == "2026-03-09T10:00:00Z"


async def test_a_promise_past_due_when_a_shift_begins_is_withdrawn_as_such(db: Database) -> None:
    """It was infeasible, and is broken now."""
    await apply(db, yui(shifts=AT_TWO, presence="away"), a_ticket("T1", language="ja"))
    await sweep_at(db, NOON + minutes(120))
    assert await history(db) == ["!", "-past_due"]


async def test_many_promises_are_published_in_steps(db: Database) -> None:
    """A thousand in one transaction, the earliest due first; the sweep continues at once."""
    away = yui(presence="away")
    await apply(
        db, away, *(a_ticket(f"T{n}", language="ja", after_min=n / 100) for n in range(1500))
    )
    assert await events(db) == []
    await apply(db, removed("yui", after_min=1))
    found = [datetime.fromisoformat(fact["due_at"]) for _, fact in await events(db)]
    assert len(found) == 1000
    assert found == sorted(found)
    async with db.session() as session:
        assert await session.fetchval(BEHIND) == 1
    await sweep_at(db, NOON)
    assert len(await events(db)) == 1500
    await apply(db, yui(presence="away", after_min=2))
    await sweep_at(db, NOON)
    assert (await history(db))[1500:] == ["-covered"] * 1500
    async with db.session() as session:
        assert await session.fetchval(BEHIND) == 0


async def test_infeasible_promises_are_listed_for_a_lead(
    fresh: FreshDatabase, db: Database
) -> None:
    """With the present reason; promises that are past due are left out."""
    async with db.session() as session:
        at = await now(session)
    ahead_min = (at - NOON) / minutes(1)
    early, late = a_ticket("T1", language="ja"), a_ticket("T2", language="ja", after_min=ahead_min)
    await apply(db, early, late)
    await apply(db, a_ticket("T3", language="ja", after_min=ahead_min - 90))
    async with api_client(fresh, db, RoutingService(default_rules())) as client:
        rows = (await client.get("/v1/infeasible")).json()
    assert [row["ticket_id"] for row in rows] == [str(ticket_id_of("test", "T2"))]
    assert rows[0]["words"] == "Nobody on the roster answers emails in Japanese or English"
    assert rows[0]["opens_at"] is None


async def test_the_marked_tickets_are_those_that_a_full_search_finds(
    db: Database, seed: int
) -> None:
    """After any events about roster and tickets, in any number of batches."""
    dice = Random(seed)  # noqa: S311 - a seed repeats it
    at = NOON
    for number in range(25):
        at += minutes(dice.choice([0, 1, 20, 120]))
        await apply(db, *_random_events(dice, number, (at - NOON) / minutes(1)), at=at)
        await sweep_at(db, at)
        assert await marked(db, at) == await infeasible(db, at)


def _random_events(dice: Random, number: int, after_min: float) -> list[Envelope[Event]]:
    channels: tuple[Channel, ...] = ("email", "phone")
    shifts = dice.choice([None, AT_TWO, FROM_TEN])
    specialist = a_specialist(
        dice.choice(["ann", "ben", "yui"]),
        languages=dice.choice([("en",), ("ja", "en"), ("ja",), ("de",)]),
        capacity=dice.choice(ROOMS),
        presence=dice.choice(["online", "away"]),
        shifts=shifts,
        after_min=after_min,
    )
    tickets = [
        a_ticket(
            f"T{number}-{n}",
            channel=dice.choice(channels),
            language=dice.choice(["ja", "de", "en"]),
            role=dice.choice(["super_admin", "seat"]),
            after_min=after_min - dice.choice([0, 50]),
        )
        for n in range(4)
    ]
    ended = a_fact(TicketResponded, f"T{dice.randrange(number + 1)}-1", after_min=after_min)
    left = removed(dice.choice(["ann", "ben", "yui"]), after_min=after_min)
    return dice.sample([specialist, *tickets, ended, left], k=dice.randrange(1, 7))


async def marked(db: Database, at: datetime) -> set[UUID]:
    """Return the marked tickets that are not past due."""
    async with db.session() as session:
        marks = {row["ticket_id"] for row in await session.fetch(MARKED)}
        waiting = await session.fetch(WAITING)
    return marks - {row["ticket_id"] for row in waiting if row["due_at"] <= at}


async def infeasible(db: Database, at: datetime) -> set[UUID]:
    """Search all tickets for those that are infeasible."""
    async with db.transaction() as tx:
        specialists = await load_roster(tx)
        waiting = await tx.fetch(WAITING)
    queues = {LanguageQueue(row["channel"], row["base_language"]) for row in waiting}
    found = coverage_of(specialists, queues)
    return {
        row["ticket_id"]
        for row in waiting
        if at < row["due_at"] <= found[LanguageQueue(row["channel"], row["base_language"])].opens_at
    }
