"""The sender with a mail server whose replies each test sets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid5

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr
from tests.integration.notifier.mail_server import MARA, NOOR, OK, Answer, MailSink, hang_up

from notifier import service
from notifier.sender import Sender
from notifier.settings import Settings
from shared.basics.errors import Transient
from shared.events import NAMESPACE, Envelope, Event, TicketAssigned
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_specialist, minutes
from shared.testing.databases import FreshDatabase


class Notifier:
    """The notifier's database and sender, with a mail server."""

    def __init__(self, dsn: str, sink: MailSink) -> None:
        self.dsn = dsn
        self.sink = sink
        self.db = Database(dsn, service="test")
        self.sender = self.another_sender()

    def another_sender(self, **changes: Any) -> Sender:  # noqa: ANN401 - a setting is any
        """Make a sender with the settings of a local stack, and these changes."""
        settings = Settings.model_validate(
            {
                "dsn": SecretStr(self.dsn),
                "kafka_bootstrap": "127.0.0.1:9",
                "http_port": 0,
                "smtp_host": "127.0.0.1",
                "smtp_port": self.sink.port,
                "smtp_security": "none",
                "mail_from": "support@premium.example",
                "team_mail": "team@premium.example",
                "ticket_url": "https://support.example/t/{ticket_id}",
                **changes,
            }
        )
        return Sender(self.db, settings)

    async def assign(self, *names: str) -> None:
        """Assign a ticket to each of the specialists named."""
        facts = [assigned(name, number) for number, name in enumerate(names)]
        async with self.db.transaction() as tx:
            await service.plan_deliveries(tx, facts, NOON, wake=self.sender.wake)

    async def list_specialists(self, *names: str) -> None:
        """Put specialists on the roster."""
        async with self.db.transaction() as tx:
            listed = [a_specialist(name) for name in names]
            await service.plan_deliveries(tx, listed, NOON, wake=self.sender.wake)

    async def end_waits(self) -> None:
        """Make all pending deliveries due now."""
        async with self.db.transaction() as tx:
            await tx.execute("UPDATE delivery SET next_try_at = now() WHERE state = 'pending'")

    async def states(self) -> dict[str, tuple[str, int, str | None]]:
        """Read the state, attempts and reason of each specialist's delivery."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT specialist_id, state, attempts, reason FROM delivery")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def announced(self) -> list[str]:
        """Read the types of the announced events."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT headers FROM outbox ORDER BY id")
        return [dict(json.loads(row["headers"]))["ce_type"] for row in rows]


def assigned(name: str, number: int) -> Envelope[Event]:
    """Assign an email ticket to a specialist at noon."""
    event = TicketAssigned(
        ticket_id=uuid5(NAMESPACE, f"ticket {number}"),
        specialist_id=name,
        account_id="Northwind",
        channel="email",
        severity="standard",
        language="en",
        english_instead=False,
        due_at=NOON + minutes(60),
        waited_ms=0,
    )
    return Envelope(uuid5(NAMESPACE, f"assigned {number}"), "test", NOON, event)


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    """Run a mail server that accepts every mail."""
    sink = MailSink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def notifier(
    database: Callable[[str], Awaitable[FreshDatabase]], sink: MailSink
) -> AsyncIterator[Notifier]:
    """Set up a notifier with Mara and Noor on the roster; tests start its sender."""
    notifier = Notifier((await database("notifier")).dsn, sink)
    await notifier.db.start()
    await notifier.list_specialists("mara", "noor")
    yield notifier
    await notifier.sender.stop()
    await notifier.db.stop()


async def no_answer(connection: SMTP) -> str:
    """Abort the connection instead of a reply."""
    hang_up(connection)
    return OK


async def test_a_mail_is_sent_once(notifier: Notifier) -> None:
    """A sent mail is announced, and is not due again."""
    await notifier.assign("mara")
    assert [await notifier.sender.send_due(), await notifier.sender.send_due()] == [1, 0]
    [mail] = notifier.sink.to(MARA)
    assert mail["Subject"] == "Standard email · Northwind · due 13:00 UTC"
    assert await notifier.states() == {"mara": ("sent", 1, None)}
    assert await notifier.announced() == ["premium.notification.sent.v1"]


async def test_a_domain_beyond_ascii_needs_no_smtputf8(notifier: Notifier) -> None:
    """Without SMTPUTF8 the domain is sent in ASCII; a local part beyond ASCII is refused."""
    notifier.sink.supports_utf8 = False
    async with notifier.db.transaction() as tx:
        listed = [
            a_specialist("mara", mail="mara@büro.example"),
            a_specialist("noor", mail="noör@support.example"),
        ]
        await service.plan_deliveries(tx, listed, NOON, wake=notifier.sender.wake)
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    assert len(notifier.sink.to("mara@xn--bro-hoa.example")) == 1
    states = await notifier.states()
    assert (states["mara"][0], states["noor"][0]) == ("sent", "failed")
    assert "SMTPUTF8" in str(states["noor"][2])


async def test_connections_are_reused(notifier: Notifier) -> None:
    """A hundred mails are sent over at most four connections."""
    await notifier.assign(*["mara", "noor"] * 50)
    while await notifier.sender.send_due():
        pass
    assert len(set(notifier.sink.ids)) == len(notifier.sink.ids) == 100
    assert len(notifier.sink.connections) <= 4


async def test_a_server_that_accepts_one_connection_gets_all_mails(notifier: Notifier) -> None:
    """The clients that cannot connect leave their mails to the one that can."""
    notifier.sink.connections_max = 1
    await notifier.assign(*["mara"] * 20)
    await notifier.sender.send_due()
    assert len(set(notifier.sink.ids)) == len(notifier.sink.ids) == 20


async def test_a_crash_before_the_commit_sends_the_same_mail_again(notifier: Notifier) -> None:
    """A mail that was sent but not saved as sent is repeated under the same message id."""

    async def crash(_: SMTP) -> str:
        connection = await asyncpg.connect(notifier.dsn)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        return OK

    notifier.sink.to_data[MARA] = iter([crash, OK])
    await notifier.assign("mara")
    with pytest.raises(Transient):
        await notifier.sender.send_due()
    assert await notifier.announced() == []
    await notifier.sender.send_due()
    assert notifier.sink.ids == [notifier.sink.ids[0]] * 2
    assert await notifier.announced() == ["premium.notification.sent.v1"]


async def test_a_refused_recipient_fails_alone(notifier: Notifier) -> None:
    """A permanent refusal of one recipient does not affect the others."""
    notifier.sink.to_rcpt[NOOR] = iter([f"550 5.1.1 <{NOOR}>: no such user"])
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    assert await notifier.states() == {
        "mara": ("sent", 1, None),
        "noor": ("failed", 1, "550 5.1.1 <(address)>: no such user"),
    }
    assert len(notifier.sink.to(MARA)) == 1
    assert sorted(await notifier.announced()) == [
        "premium.notification.failed.v1",
        "premium.notification.sent.v1",
    ]


async def test_refused_content_fails_alone(notifier: Notifier) -> None:
    """A permanent refusal of one mail's content does not affect the others."""
    notifier.sink.to_data[NOOR] = iter(["554 5.7.1 looks like spam"])
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    states = await notifier.states()
    assert states["mara"] == ("sent", 1, None)
    assert states["noor"] == ("failed", 1, "554 5.7.1 looks like spam")


@pytest.mark.parametrize("first", ["451 4.3.0 greylisted", no_answer])
async def test_a_transient_failure_is_tried_again(notifier: Notifier, first: Answer) -> None:
    """After a 4xx reply or a lost connection: tried later, under the same message id."""
    notifier.sink.to_data[MARA] = iter([first, OK])
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    states = await notifier.states()
    assert states["mara"][:2] == ("pending", 1)
    assert states["noor"] == ("sent", 1, None)
    assert await notifier.sender.send_due() == 0
    await notifier.end_waits()
    await notifier.sender.send_due()
    assert (await notifier.states())["mara"] == ("sent", 2, None)
    first_id, again = (mail["Message-ID"] for mail in notifier.sink.to(MARA))
    assert first_id == again


async def test_an_unavailable_server_delays_mails(notifier: Notifier) -> None:
    """While the mail server is unavailable deliveries wait; afterwards they are sent."""
    await notifier.sink.stop()
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    assert {state[:2] for state in (await notifier.states()).values()} == {("pending", 1)}
    await notifier.sink.start()
    await notifier.end_waits()
    await notifier.sender.send_due()
    assert {state[0] for state in (await notifier.states()).values()} == {"sent"}


async def test_a_restarted_server_is_connected_to_again(notifier: Notifier) -> None:
    """Connections that the server closed meanwhile are opened again."""
    await notifier.assign("mara")
    await notifier.sender.send_due()
    await notifier.sink.stop()
    await notifier.sink.start()
    await notifier.assign("mara", "noor")
    await notifier.sender.send_due()
    assert (await notifier.states())["noor"] == ("sent", 1, None)


async def test_no_mail_is_sent_unencrypted_by_default(notifier: Notifier) -> None:
    """A mail server that does not offer STARTTLS gets no mail."""
    sender = notifier.another_sender(smtp_security="starttls")
    await notifier.assign("mara")
    await sender.send_due()
    assert notifier.sink.mails == []
    state, _, reason = (await notifier.states())["mara"]
    assert state == "pending"
    assert "STARTTLS" in (reason or "")


async def test_a_mail_waits_for_the_specialists_roster_record(notifier: Notifier) -> None:
    """An assignment may be read before the specialist's roster record."""
    await notifier.assign("tom")
    await notifier.sender.send_due()
    state, attempts, reason = (await notifier.states())["tom"]
    assert (state, attempts) == ("pending", 1)
    assert reason == "the roster has no such specialist; list them on specialists.v1"
    await notifier.list_specialists("tom")
    await notifier.end_waits()
    await notifier.sender.send_due()
    assert len(notifier.sink.to("tom@support.example")) == 1


async def test_two_senders_share_the_work(notifier: Notifier) -> None:
    """A delivery that one instance has claimed is not sent by another."""
    other = notifier.another_sender()
    await notifier.assign(*["mara"] * 80)
    while any(await asyncio.gather(notifier.sender.send_due(), other.send_due())):
        pass
    await other.stop()
    assert len(set(notifier.sink.ids)) == len(notifier.sink.ids) == 80


async def test_a_planned_delivery_is_sent_at_once(notifier: Notifier) -> None:
    """The commit that plans a delivery wakes the sender."""
    received = asyncio.Event()

    async def report(_: SMTP) -> str:
        received.set()
        return OK

    notifier.sink.to_data[MARA] = iter([report])
    await notifier.sender.start()
    await notifier.assign("mara")
    async with asyncio.timeout(10):
        await received.wait()
    await notifier.sender.stop()
    assert await notifier.states() == {"mara": ("sent", 1, None)}


async def test_a_stop_does_not_wait_for_a_silent_server(notifier: Notifier) -> None:
    """Sent mails are saved as sent; a mail without a reply stays pending."""
    hung, never = asyncio.Event(), asyncio.Event()

    async def hang(_: SMTP) -> str:
        hung.set()
        await never.wait()
        return OK

    notifier.sink.to_data[MARA] = iter([hang])
    await notifier.assign("mara", "noor")
    await notifier.sender.start()
    async with asyncio.timeout(10):
        await hung.wait()
    await notifier.sender.stop()
    assert await notifier.states() == {"mara": ("pending", 0, None), "noor": ("sent", 1, None)}
