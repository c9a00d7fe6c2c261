"""What the notifier saves of events: addresses, assignments, due times, planned deliveries."""

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
    """Open a new database of the notifier."""
    opened = Database((await database("notifier")).dsn, service="test")
    await opened.start()
    yield opened
    await opened.stop()


def happened(event: Event, after_min: float) -> Envelope[Event]:
    """Wrap an event that happened ``after_min`` minutes after noon."""
    return Envelope(uuid5(TICKET, f"{event!r}"), "test", NOON + minutes(after_min), event)


def assigned(specialist_id: str, after_min: float, channel: Channel = "email") -> Envelope[Event]:
    """Assign the ticket to a specialist."""
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
    """Decline the ticket."""
    event = TicketDeclined(ticket_id=TICKET, specialist_id=specialist_id, reason="lunch")
    return happened(event, after_min)


def released(specialist_id: str, after_min: float) -> Envelope[Event]:
    """Release the ticket after a response."""
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


async def handle(db: Database, *batches: Sequence[Envelope[Event]], at: datetime = NOON) -> int:
    """Handle each batch in its own transaction; return how often the sender was woken."""
    woken: list[None] = []
    for batch in batches:
        async with db.transaction() as tx:
            await service.plan_deliveries(tx, batch, at, wake=lambda: woken.append(None))
    return len(woken)


async def planned(db: Database) -> list[tuple[str, str]]:
    """Read the alert and the recipient of each planned delivery."""
    async with db.transaction() as tx:
        due = await store.due_deliveries(tx, limit=100)
    return sorted((one.delivery.alert, one.delivery.recipient) for one in due)


async def due(db: Database) -> list[tuple[datetime | None, bool]]:
    """Read the due time of each planned delivery, and whether it will still be sent."""
    async with db.transaction() as tx:
        mails = await store.due_deliveries(tx, limit=100)
    return sorted(((m.delivery.fact.model_dump()["due_at"], m.still_due) for m in mails), key=str)


async def address(db: Database) -> str | None:
    """Read the address to which a mail for Mara would be sent."""
    await handle(db, [assigned("mara", 0)])
    async with db.transaction() as tx:
        [due] = await store.due_deliveries(tx, limit=100)
    return due.mail


async def test_a_repeated_event_is_planned_once(db: Database) -> None:
    """A delivery that was planned before is not changed."""
    await handle(db, [assigned("mara", 0)], [assigned("mara", 0)])
    assert await planned(db) == [("assignment", "specialist:mara")]


def clock_says(record: type[ClockFact], due_min: float | None = None) -> Envelope[Event]:
    """Publish a new due time of the ticket, as sla-monitor does."""
    return a_clock(record, "T1", due_min=due_min, ticket_id=TICKET)


async def test_a_mail_names_the_due_time_as_of_sending(db: Database) -> None:
    """The clock's last record since the delivery was planned counts; earlier ones do not."""
    await handle(db, [clock_says(ClockResumed, 30)], at=NOON - minutes(1))
    await handle(db, [assigned("mara", 0)])
    assert await due(db) == [(NOON + minutes(60), True)]
    await handle(db, [clock_says(ClockPaused)], [clock_says(ClockResumed, 90)])
    assert await due(db) == [(NOON + minutes(90), True)]


async def test_a_paused_clock_stops_a_warning(db: Database) -> None:
    """A warning is not sent any more; an assignment is sent without a due time."""
    await handle(db, [assigned("mara", 0)], [warned(30)], [clock_says(ClockPaused)])
    assert await due(db) == [(None, False), (None, True)]


async def test_the_sender_is_woken_once_a_batch(db: Database) -> None:
    """It is woken only when a batch plans a delivery."""
    assert await handle(db, [assigned("mara", 0), warned(30)]) == 1
    assert await handle(db, [released("mara", 40)]) == 0


async def test_a_specialist_who_declined_is_not_warned(db: Database) -> None:
    """A declined ticket is unassigned: the team is warned."""
    await handle(db, [assigned("mara", 0)], [declined("mara", 10)], [warned(30)])
    assert ("warning", "team") in await planned(db)


async def test_a_specialist_who_went_offline_is_not_warned(db: Database) -> None:
    """A ticket that was handed back is unassigned: the team is warned."""
    event = AssignmentHandedBack(ticket_id=TICKET, specialist_id="mara", cause="offline")
    await handle(db, [assigned("mara", 0)], [happened(event, 10)], [warned(30)])
    assert ("warning", "team") in await planned(db)


async def test_the_specialist_of_a_ticket_is_found_by_event_time(db: Database) -> None:
    """The times of assignments and releases count, not the order in which they are read."""
    changes = [assigned("mara", 0), declined("mara", 10), assigned("noor", 20), assigned("tom", 40)]
    for number, order in enumerate(permutations(changes)):
        fact = warned(30)
        again = Envelope(uuid5(fact.id, str(number)), "test", fact.time, fact.event)
        await handle(db, *([change] for change in order), [again])
    warnings = [recipient for alert, recipient in await planned(db) if alert == "warning"]
    assert warnings == ["specialist:noor"] * 24


async def test_an_assignment_at_the_time_of_the_warning_does_not_count(db: Database) -> None:
    """Of an assignment and a warning at the same time, the order is unknown."""
    await handle(db, [assigned("mara", 30), warned(30)])
    assert ("warning", "team") in await planned(db)


async def test_of_two_changes_at_the_same_time_the_last_read_counts(db: Database) -> None:
    """Declined and assigned to another specialist at the same time: that specialist has it."""
    await handle(db, [assigned("mara", 0)], [declined("mara", 10), assigned("noor", 10)])
    await handle(db, [warned(30)])
    assert ("warning", "specialist:noor") in await planned(db)


async def test_an_older_listing_changes_nothing(db: Database) -> None:
    """The newest roster record counts, within a batch and across batches."""
    new, old = a_specialist("mara", after_min=5), a_specialist("mara", after_min=-5)
    await handle(db, [new, removed("mara", after_min=0)], [old])
    assert await address(db) == "mara@support.example"


async def test_an_older_record_does_not_undo_a_removal(db: Database) -> None:
    """A removal is saved, without the name and the address."""
    await handle(db, [removed("mara", after_min=5)], [a_specialist("mara", after_min=0)])
    assert await address(db) is None


async def test_a_callback_alert_fails_when_the_customer_was_reached(db: Database) -> None:
    """The ticket was released before the alert was sent: it fails with the reason."""
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
    await handle(db, [a_specialist("mara"), assigned("mara", 0, "phone"), released("mara", 1)])
    await Sender(db, settings).send_due()
    async with db.session() as session:
        [row] = await session.fetch("SELECT state, reason FROM delivery")
    assert row["state"] == "failed"
    assert row["reason"] == "the customer was reached, or the specialist no longer has the ticket"


async def test_the_specialist_of_a_call_is_warned_of_each_joined_ticket(db: Database) -> None:
    """Two tickets share one call: a warning about either goes to the call's specialist."""
    joined = CallbackJoined(ticket_id=TICKET, joined=OTHER)
    leading = replace(assigned("mara", 0, "phone"), id=uuid5(OTHER, "assigned"))
    leading = replace(leading, event=leading.event.model_copy(update={"ticket_id": OTHER}))
    await handle(db, [a_specialist("mara"), leading, happened(joined, 1), warned(2)])
    assert ("warning", "specialist:mara") in await planned(db)
