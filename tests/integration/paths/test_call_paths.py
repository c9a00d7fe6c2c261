"""How many files an engineer opens to follow a request to its effect.

Counted are the files of the product on the call stack when the request starts to wait for its
transaction, when the domain announces an event, when a row of the outbox is written, when the
relay publishes it, and when a mail leaves.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from tests.browser.inbox_server import serving_inbox
from tests.integration.intake.conftest import REQUEST
from tests.integration.notifier.mail_server import MailSink
from tests.integration.paths.call_paths import CallPaths, recorded

import intake.app
import notifier.app
import router.app
from intake.batcher import Batcher
from intake.settings import Settings as IntakeSettings
from notifier.settings import Settings as NotifierSettings
from notifier.smtp import MailServer
from router.domain.assignment.state import AssignmentState
from router.settings import Settings as RouterSettings
from shared.basics.clock import wait_at_most
from shared.events import CATALOGUE, INBOUND_TOPIC, Envelope, dead_letter_topic
from shared.events.codec import headers_of, value_of
from shared.platform import outbox
from shared.platform.http import HttpServer
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.publisher import Outgoing, Publisher
from shared.testing.builders import NOON, a_specialist, a_ticket, an_account
from shared.testing.databases import MakeDatabase
from shared.testing.keys import new_key
from shared.testing.topics import Topics

TO_OUTBOX_MAX: Final = 12
TO_MAIL_MAX: Final = 30
LOOK_S: Final = 0.02
SERVICES: Final = ("intake", "router", "notifier")


@pytest.fixture
async def mail_sink() -> AsyncIterator[MailSink]:
    """Accept mails."""
    sink = MailSink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def address(
    database: MakeDatabase, topics: Topics, mail_sink: MailSink
) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Run three services in this process; return intake's address, and headers with a key."""
    own = {event.topic for event in CATALOGUE.values()} | {INBOUND_TOPIC}
    await topics.create(*own, *map(dead_letter_topic, SERVICES), partitions=1)
    await topics.send(
        Outgoing(e.event.topic, e.event.subject.encode(), value_of(e.event), headers_of(e))
        for e in (
            Envelope(uuid4(), "test", NOON, an_account()),
            a_specialist("ann", capacity={"email": 2}),
        )
    )
    fresh = {name: await database(name) for name in SERVICES}
    given: dict[str, dict[str, Any]] = {
        name: {
            "dsn": one.dsn,
            "kafka_bootstrap": topics.bootstrap,
            "http_port": 0,
            "topic_prefix": topics.prefix,
        }
        for name, one in fresh.items()
    }
    databases = {name: Database(one.dsn, service=name) for name, one in fresh.items()}
    mail = NotifierSettings(
        smtp_host="127.0.0.1",
        smtp_port=mail_sink.port,
        smtp_security="none",
        mail_from="support@example.com",
        team_mail="team@example.com",
        ticket_url="https://example.com/{ticket_id}",
        **given["notifier"],
    )
    entrance = intake.app.assemble(
        IntakeSettings(number_secret="s" * 32, **given["intake"]), databases["intake"]
    )
    parts: Sequence[Part] = [
        *databases.values(),
        *entrance,
        *router.app.assemble(RouterSettings(**given["router"]), databases["router"]),
        *notifier.app.assemble(mail, databases["notifier"]),
    ]
    [server] = [part for part in entrance if isinstance(part, HttpServer)]
    key = await new_key(fresh["intake"].owner_dsn, "intake")
    async with AsyncExitStack() as stack:
        for part in parts:
            await part.start()
            stack.push_async_callback(part.stop)
        assert server.listening is not None
        host, port = server.listening.getsockname()
        yield f"http://{host}:{port}", {"authorization": f"Bearer {key.text}"}


async def test_an_accept_click_passes_few_files(database: MakeDatabase) -> None:
    """From the button to the row of the outbox."""
    async with (
        serving_inbox(await database("router")) as desk,
        httpx.AsyncClient(base_url=desk.address, follow_redirects=True) as browser,
    ):
        await desk.handle(a_specialist("ann"), a_ticket("T1", channel="phone"))
        page = (await browser.post(await desk.link("ann"))).text
        [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', page)
        [path] = set(re.findall(r'hx-post="(/inbox/[^"]+/accept)"', page))
        form = dict(re.findall(r'name="(offer|turn)" value="([^"]+)"', page))
        headers = {"x-csrf-token": token, "hx-request": "true"}
        with recorded(AssignmentState.announce, outbox.add) as paths:
            answer = await browser.post(path, data=form, headers=headers)
    assert answer.status_code == httpx.codes.OK, answer.text
    check(paths, TO_OUTBOX_MAX)


async def test_a_ticket_passes_few_files_to_its_mail(
    address: tuple[str, dict[str, str]], mail_sink: MailSink
) -> None:
    """From HTTP to intake's outbox, and on through router and notifier to the mail."""
    ends = (
        Batcher.submit,
        AssignmentState.announce,
        outbox.add,
        Publisher.publish,
        MailServer.send,
    )
    url, headers = address
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        with recorded(Batcher.submit, outbox.add) as paths:
            answer = await client.post("/v1/tickets", json=REQUEST)
        check(paths, TO_OUTBOX_MAX)
        with recorded(*ends) as paths:
            answer = await client.post("/v1/tickets", json={**REQUEST, "external_id": "A-2"})
            while len(mail_sink.mails) < 2:
                await wait_at_most(asyncio.Event().wait(), LOOK_S)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    check(paths, TO_MAIL_MAX)


def check(paths: CallPaths, files_max: int) -> None:
    """Compare the number of files."""
    assert 0 < len(paths.files) <= files_max, list(paths.files)
