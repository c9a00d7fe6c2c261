"""What notifier keeps of the facts it reads: whom to write to, who has a ticket, what to tell."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import permutations
from uuid import UUID, uuid5

import pytest
from pydantic import SecretStr

from notifier import service, store
from notifier.sender import Sender
from notifier.settings import Settings
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    CallbackJoined,
    ClockFact,
    ClockPaused,
    ClockResumed,
    ClockWarned,
    Envelope,
    Event,
    TicketAssigned,
    TicketDeclined,
)
from shared.platform.postgres import Database
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_clock, a_specialist, minutes, removed
from shared.testing.databases import FreshDatabase

TICKET = UUID("11111111-1111-5111-8111-111111111111")
OTHER = UUID("22222222-2222-5222-8222-222222222222")


@pytest.fixture
async def db(database: Callable[[str], Awaitable[FreshDatabase]]) -> AsyncIterator[Database]:
    """Open a fresh database of notifier's."""
    opened = Database((await database("notifier")).dsn, service="test")
    await opened.start()
    yield opened
    await opened.stop()


def happened(event: Event, after_min: float) -> Envelope[Event]:
    """Wrap an event that happened so long after noon."""
    return Envelope(uuid5(TICKET, f"{event!r}"), "test", NOON + minutes(after_min), event)


def assigned(specialist_id: str, after_min: float, channel: Channel = "email") -> Envelope[Event]:
    """Give the ticket to somebody."""
    event = TicketAssigned(
        ticket_id=TICKET,
        specialist_id=specialist_id,
        account_id="northwind",
        channel=channel,
        severity="standard",
        language="en",
        english_instead=False,
        due_at=NOON + minutes(60),
        waited_ms=0,
        promise="first_response" if channel == "email" else "callback",
    )
    return happened(event, after_min)


def declined(specialist_id: str, after_min: float) -> Envelope[Event]:
    """Give the ticket back."""
    event = TicketDeclined(ticket_id=TICKET, specialist_id=specialist_id, reason="lunch")
    return happened(event, after_min)


def released(specialist_id: str, after_min: float) -> Envelope[Event]:
    """Be done with the ticket."""
    event = AssignmentReleased(ticket_id=TICKET, specialist_id=specialist_id, cause="responded")
    return happened(event, after_min)


def warned(after_min: float) -> Envelope[Event]:
    """Warn of the ticket's promise."""
    event = ClockWarned(
        ticket_id=TICKET,
        account_id="northwind",
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        percent=50,
        due_at=NOON + minutes(60),
    )
    return happened(event, after_min)


async def take(db: Database, *batches: Sequence[Envelope[Event]], at: datetime = NOON) -> int:
    """Handle batches, each in a transaction of its own; how often they woke comes back."""
    woken: list[None] = []
    for batch in batches:
        async with db.transaction() as tx:
            await service.take(tx, batch, at, wake=lambda: woken.append(None))
    return len(woken)


async def told(db: Database) -> list[tuple[str, str]]:
    """Read the alerts that are planned, and for whom."""
    async with db.transaction() as tx:
        due = await store.due_deliveries(tx, limit=100)
    return sorted((one.delivery.alert, one.delivery.recipient) for one in due)


async def due(db: Database) -> list[tuple[datetime | None, bool]]:
    """Read when what is mailed says to be due, and whether it is sent at all."""
    async with db.transaction() as tx:
        mails = await store.due_deliveries(tx, limit=100)
    return sorted(((m.delivery.fact.model_dump()["due_at"], m.is_due) for m in mails), key=str)


async def address(db: Database) -> str | None:
    """Read where Mara's mail would go."""
    await take(db, [assigned("mara", 0)])
    async with db.transaction() as tx:
        [due] = await store.due_deliveries(tx, limit=100)
    return due.mail


async def test_a_fact_that_comes_twice_is_told_once(db: Database) -> None:
    """A delivery that was planned before stays as it is."""
    await take(db, [assigned("mara", 0)], [assigned("mara", 0)])
    assert await told(db) == [("assignment", "specialist:mara")]


def clock_says(record: type[ClockFact], due_min: float | None = None) -> Envelope[Event]:
    """Let sla-monitor say when the ticket is due now."""
    return a_clock(record, "T1", due_min=due_min, ticket_id=TICKET)


async def test_a_mail_says_when_it_is_due_by_the_time_it_is_sent(db: Database) -> None:
    """The clock's last record that was read since counts; none of before the mail was planned."""
    await take(db, [clock_says(ClockResumed, 30)], at=NOON - minutes(1))
    await take(db, [assigned("mara", 0)])
    assert await due(db) == [(NOON + minutes(60), True)]
    await take(db, [clock_says(ClockPaused)], [clock_says(ClockResumed, 90)])
    assert await due(db) == [(NOON + minutes(90), True)]


async def test_nothing_is_said_to_be_due_while_the_clock_is_paused(db: Database) -> None:
    """A ticket is given out and says so; a warning is not sent any more."""
    await take(db, [assigned("mara", 0)], [warned(30)], [clock_says(ClockPaused)])
    assert await due(db) == [(None, False), (None, True)]


async def test_the_sender_is_woken_once_a_batch(db: Database) -> None:
    """It is woken when there is something to send, and only then."""
    assert await take(db, [assigned("mara", 0), warned(30)]) == 1
    assert await take(db, [released("mara", 40)]) == 0


async def test_who_declined_is_not_warned(db: Database) -> None:
    """A ticket that was given back is nobody's."""
    await take(db, [assigned("mara", 0)], [declined("mara", 10)], [warned(30)])
    assert ("warning", "team") in await told(db)


async def test_who_went_offline_is_not_warned(db: Database) -> None:
    """What was handed back is nobody's."""
    event = AssignmentHandedBack(ticket_id=TICKET, specialist_id="mara", cause="offline")
    await take(db, [assigned("mara", 0)], [happened(event, 10)], [warned(30)])
    assert ("warning", "team") in await told(db)


async def test_who_has_the_ticket_is_warned_in_whatever_order_it_is_told(db: Database) -> None:
    """The times at which it changed hands count, not the order in which that was told."""
    changes = [assigned("mara", 0), declined("mara", 10), assigned("noor", 20), assigned("tom", 40)]
    for number, order in enumerate(permutations(changes)):
        fact = warned(30)
        again = Envelope(uuid5(fact.id, str(number)), "test", fact.time, fact.event)
        await take(db, *([change] for change in order), [again])
    warnings = [recipient for alert, recipient in await told(db) if alert == "warning"]
    assert warnings == ["specialist:noor"] * 24


async def test_what_happens_with_the_warning_does_not_count(db: Database) -> None:
    """Of an assignment and a warning of one instant, neither comes surely first."""
    await take(db, [assigned("mara", 30), warned(30)])
    assert ("warning", "team") in await told(db)


async def test_of_two_changes_at_one_instant_the_later_told_counts(db: Database) -> None:
    """Declined and given to another while time stands still: the other has it."""
    await take(db, [assigned("mara", 0)], [declined("mara", 10), assigned("noor", 10)])
    await take(db, [warned(30)])
    assert ("warning", "specialist:noor") in await told(db)


async def test_an_older_listing_changes_nothing(db: Database) -> None:
    """The newest record counts, in a batch and over batches."""
    new, old = a_specialist("mara", after_min=5), a_specialist("mara", after_min=-5)
    await take(db, [new, removed("mara", after_min=0)], [old])
    assert await address(db) == "mara@support.example"


async def test_who_left_does_not_come_back_by_an_older_record(db: Database) -> None:
    """A removal is remembered, without the name and the address."""
    await take(db, [removed("mara", after_min=5)], [a_specialist("mara", after_min=0)])
    assert await address(db) is None


async def test_nobody_is_asked_to_call_whom_somebody_has_spoken_to(db: Database) -> None:
    """The ticket was released before the alert went out: it fails, and says why."""
    settings = Settings(
        dsn=SecretStr(""),
        kafka_bootstrap="127.0.0.1:9",
        http_port=0,
        smtp_host="127.0.0.1",
        smtp_port=9,
        smtp_security="none",
        mail_from="support@premium.example",
        team_mail="team@premium.example",
        ticket_url="https://support.example/t/{ticket_id}",
    )
    await take(db, [a_specialist("mara"), assigned("mara", 0, "phone"), released("mara", 1)])
    await Sender(db, settings).send_due()
    async with db.session() as session:
        [row] = await session.fetch("SELECT state, reason FROM delivery")
    assert row["state"] == "failed"
    assert row["reason"] == "the customer was spoken to, or somebody else has the ticket"


async def test_who_has_the_call_is_warned_of_each_that_waits_for_it(db: Database) -> None:
    """Two tickets, one call: nobody is told that nobody has the second."""
    joined = CallbackJoined(ticket_id=TICKET, joined=OTHER)
    leading = replace(assigned("mara", 0, "phone"), id=uuid5(OTHER, "assigned"))
    leading = replace(leading, event=leading.event.model_copy(update={"ticket_id": OTHER}))
    await take(db, [a_specialist("mara"), leading, happened(joined, 1), warned(2)])
    assert ("warning", "specialist:mara") in await told(db)
