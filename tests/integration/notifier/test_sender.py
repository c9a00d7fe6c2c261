"""The sender, in conversation with a mail server that answers as it is told to."""

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


class Office:
    """Notifier's database and sender, and a mail server for them."""

    def __init__(self, dsn: str, sink: MailSink) -> None:
        self.dsn = dsn
        self.sink = sink
        self.db = Database(dsn, service="test")
        self.sender = self.another_sender()

    def another_sender(self, **told: Any) -> Sender:  # noqa: ANN401 - a setting is any
        """Make a sender, told about as a local stack's is."""
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
                **told,
            }
        )
        return Sender(self.db, settings)

    async def assign(self, *names: str) -> None:
        """Give each specialist named a ticket of their own."""
        facts = [assigned(name, number) for number, name in enumerate(names)]
        async with self.db.transaction() as tx:
            await service.take(tx, facts, NOON, wake=self.sender.wake)

    async def list_specialists(self, *names: str) -> None:
        """Put specialists on the roster."""
        async with self.db.transaction() as tx:
            listed = [a_specialist(name) for name in names]
            await service.take(tx, listed, NOON, wake=self.sender.wake)

    async def let_waits_pass(self) -> None:
        """Make what waits due."""
        async with self.db.transaction() as tx:
            await tx.execute("UPDATE delivery SET next_try_at = now() WHERE state = 'pending'")

    async def states(self) -> dict[str, tuple[str, int, str | None]]:
        """Read state, tries and reason of each specialist's delivery."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT specialist_id, state, attempts, reason FROM delivery")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def announced(self) -> list[str]:
        """Read the types of what was announced."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT headers FROM outbox ORDER BY id")
        return [dict(json.loads(row["headers"]))["ce_type"] for row in rows]


def assigned(name: str, number: int) -> Envelope[Event]:
    """Give somebody an email ticket at noon."""
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
    """Run a mail server that takes everything."""
    sink = MailSink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def office(
    database: Callable[[str], Awaitable[FreshDatabase]], sink: MailSink
) -> AsyncIterator[Office]:
    """Open an office with Mara and Noor on the roster; its sender sends when the test says."""
    office = Office((await database("notifier")).dsn, sink)
    await office.db.start()
    await office.list_specialists("mara", "noor")
    yield office
    await office.sender.stop()
    await office.db.stop()


async def no_answer(talk: SMTP) -> str:
    """Cut the line instead of an answer."""
    hang_up(talk)
    return OK


async def test_a_mail_is_sent_once(office: Office) -> None:
    """What is sent is announced, and is not due again."""
    await office.assign("mara")
    assert [await office.sender.send_due(), await office.sender.send_due()] == [1, 0]
    [mail] = office.sink.to(MARA)
    assert mail["Subject"] == "Standard email · Northwind · due 13:00 UTC"
    assert await office.states() == {"mara": ("sent", 1, None)}
    assert await office.announced() == ["premium.notification.sent.v1"]


async def test_a_domain_beyond_ascii_needs_nothing_of_the_server(office: Office) -> None:
    """A server without SMTPUTF8 gets it as DNS has it; beyond ASCII before the @ it is refused."""
    office.sink.takes_utf8 = False
    async with office.db.transaction() as tx:
        listed = [
            a_specialist("mara", mail="mara@büro.example"),
            a_specialist("noor", mail="noör@support.example"),
        ]
        await service.take(tx, listed, NOON, wake=office.sender.wake)
    await office.assign("mara", "noor")
    await office.sender.send_due()
    assert len(office.sink.to("mara@xn--bro-hoa.example")) == 1
    states = await office.states()
    assert (states["mara"][0], states["noor"][0]) == ("sent", "failed")
    assert "SMTPUTF8" in str(states["noor"][2])


async def test_connections_are_kept(office: Office) -> None:
    """A hundred mails go over four connections at most."""
    await office.assign(*["mara", "noor"] * 50)
    while await office.sender.send_due():
        pass
    assert len(set(office.sink.ids)) == len(office.sink.ids) == 100
    assert len(office.sink.talks) <= 4


async def test_a_server_that_takes_few_connections_gets_all_mails(office: Office) -> None:
    """What cannot go over one connection goes over another."""
    office.sink.talks_max = 1
    await office.assign(*["mara"] * 20)
    await office.sender.send_due()
    assert len(set(office.sink.ids)) == len(office.sink.ids) == 20


async def test_a_crash_before_the_mark_sends_the_same_mail_again(office: Office) -> None:
    """What the server took, but nobody noted, comes again under the same message id."""

    async def crash(_: SMTP) -> str:
        connection = await asyncpg.connect(office.dsn)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        return OK

    office.sink.to_data[MARA] = iter([crash, OK])
    await office.assign("mara")
    with pytest.raises(Transient):
        await office.sender.send_due()
    assert await office.announced() == []
    await office.sender.send_due()
    assert office.sink.ids == [office.sink.ids[0]] * 2
    assert await office.announced() == ["premium.notification.sent.v1"]


async def test_a_refused_recipient_fails_alone(office: Office) -> None:
    """A server's no to one recipient is for good, and harms nobody else."""
    office.sink.to_rcpt[NOOR] = iter([f"550 5.1.1 <{NOOR}>: no such user"])
    await office.assign("mara", "noor")
    await office.sender.send_due()
    assert await office.states() == {
        "mara": ("sent", 1, None),
        "noor": ("failed", 1, "550 5.1.1 <(address)>: no such user"),
    }
    assert len(office.sink.to(MARA)) == 1
    assert sorted(await office.announced()) == [
        "premium.notification.failed.v1",
        "premium.notification.sent.v1",
    ]


async def test_refused_content_fails_alone(office: Office) -> None:
    """The same holds for a no to what was written."""
    office.sink.to_data[NOOR] = iter(["554 5.7.1 looks like spam"])
    await office.assign("mara", "noor")
    await office.sender.send_due()
    states = await office.states()
    assert states["mara"] == ("sent", 1, None)
    assert states["noor"] == ("failed", 1, "554 5.7.1 looks like spam")


@pytest.mark.parametrize("first", ["451 4.3.0 greylisted", no_answer])
async def test_what_fails_for_now_is_tried_again(office: Office, first: Answer) -> None:
    """A "not now", or a cut before the answer: tried later, under the same message id."""
    office.sink.to_data[MARA] = iter([first, OK])
    await office.assign("mara", "noor")
    await office.sender.send_due()
    states = await office.states()
    assert states["mara"][:2] == ("pending", 1)
    assert states["noor"] == ("sent", 1, None)
    assert await office.sender.send_due() == 0
    await office.let_waits_pass()
    await office.sender.send_due()
    assert (await office.states())["mara"] == ("sent", 2, None)
    first_id, again = (mail["Message-ID"] for mail in office.sink.to(MARA))
    assert first_id == again


async def test_an_absent_server_is_waited_for(office: Office) -> None:
    """While the server is away deliveries wait; when it is back they go out."""
    await office.sink.stop()
    await office.assign("mara", "noor")
    await office.sender.send_due()
    assert {state[:2] for state in (await office.states()).values()} == {("pending", 1)}
    await office.sink.start()
    await office.let_waits_pass()
    await office.sender.send_due()
    assert {state[0] for state in (await office.states()).values()} == {"sent"}


async def test_a_server_that_went_and_came_is_greeted_anew(office: Office) -> None:
    """Connections that the server has closed meanwhile are no hindrance."""
    await office.assign("mara")
    await office.sender.send_due()
    await office.sink.stop()
    await office.sink.start()
    await office.assign("mara", "noor")
    await office.sender.send_due()
    assert (await office.states())["noor"] == ("sent", 1, None)


async def test_nothing_is_sent_in_the_clear_unless_so_set(office: Office) -> None:
    """A server that does not offer STARTTLS gets no mail."""
    sender = office.another_sender(smtp_security="starttls")
    await office.assign("mara")
    await sender.send_due()
    assert office.sink.mails == []
    state, _, reason = (await office.states())["mara"]
    assert state == "pending"
    assert "STARTTLS" in (reason or "")


async def test_an_unlisted_specialist_is_waited_for(office: Office) -> None:
    """An assignment may overtake the roster."""
    await office.assign("tom")
    await office.sender.send_due()
    state, attempts, reason = (await office.states())["tom"]
    assert (state, attempts) == ("pending", 1)
    assert reason == "the roster has no such specialist; list them on specialists.v1"
    await office.list_specialists("tom")
    await office.let_waits_pass()
    await office.sender.send_due()
    assert len(office.sink.to("tom@support.example")) == 1


async def test_two_senders_share_the_work(office: Office) -> None:
    """What one instance has in hand, another does not send."""
    other = office.another_sender()
    await office.assign(*["mara"] * 80)
    while any(await asyncio.gather(office.sender.send_due(), other.send_due())):
        pass
    await other.stop()
    assert len(set(office.sink.ids)) == len(office.sink.ids) == 80


async def test_what_is_planned_is_sent_at_once(office: Office) -> None:
    """The sender is woken by the commit that plans a delivery, and stops when told to."""
    taken = asyncio.Event()

    async def say_so(_: SMTP) -> str:
        taken.set()
        return OK

    office.sink.to_data[MARA] = iter([say_so])
    await office.sender.start()
    await office.assign("mara")
    async with asyncio.timeout(10):
        await taken.wait()
    await office.sender.stop()
    assert await office.states() == {"mara": ("sent", 1, None)}


async def test_a_stop_does_not_wait_for_a_silent_server(office: Office) -> None:
    """What was sent is noted, what hangs is left for the next time."""
    hung, never = asyncio.Event(), asyncio.Event()

    async def hang(_: SMTP) -> str:
        hung.set()
        await never.wait()
        return OK

    office.sink.to_data[MARA] = iter([hang])
    await office.assign("mara", "noor")
    await office.sender.start()
    async with asyncio.timeout(10):
        await hung.wait()
    await office.sender.stop()
    assert await office.states() == {"mara": ("pending", 0, None), "noor": ("sent", 1, None)}
