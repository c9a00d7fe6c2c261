"""The mail sink takes every mail, counts on after a crash, and shows a mail without obeying it."""

import asyncio
import resource
import smtplib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from devstack.mailsink.mailbox import Mailbox
from devstack.mailsink.pages import pages
from devstack.mailsink.smtp import SmtpServer
from devstack.ports import free_port


class Sink:
    """A mail sink, and a browser to look at it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.mailbox = Mailbox(file)
        self.port = free_port()
        self.smtp = SmtpServer(self.mailbox, host="127.0.0.1", port=self.port)
        self.browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(pages(self.mailbox)), base_url="http://sink"
        )

    async def send(self, subject: str, body: str = "12 min left.", **headers: str) -> None:
        """Send a mail over SMTP."""
        message = EmailMessage()
        message["From"], message["To"] = "support@premium.example", "mara@premium.example"
        message["Subject"] = subject
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(body)
        await asyncio.to_thread(self._hand_in, message)

    def _hand_in(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.send_message(message)


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """Run one."""
    sink = Sink(tmp_path / "mails.jsonl")
    await sink.mailbox.start()
    await sink.smtp.start()
    yield sink
    await sink.smtp.stop()
    await sink.mailbox.stop()


async def test_mails_are_listed_since_the_last_look(sink: Sink) -> None:
    """The listing tells what came after a number, and how many came in all."""
    for subject in ("first", "second"):
        await sink.send(subject, Message_ID=f"<{subject}@x>", In_Reply_To="<ticket@x>")
    answer = (await sink.browser.get("/mails.json?since=1")).json()
    (mail,) = answer["mails"]
    assert answer["count"] == 2
    assert mail.pop("received_at")
    assert mail == {
        "number": 2,
        "message_id": "<second@x>",
        "in_reply_to": "<ticket@x>",
        "to": "mara@premium.example",
        "subject": "second",
    }


async def test_a_mail_is_read_as_people_wrote_it(sink: Sink) -> None:
    """Headers and text that are not ASCII are decoded, on the page and in the file."""
    await sink.send("Noch 12 Minuten für Käthe", "Größe: „ß“")
    page = (await sink.browser.get("/mails/1")).text
    assert "Noch 12 Minuten für Käthe" in page
    assert "Größe: „ß“" in page
    assert "Größe" in sink.file.read_text()


async def test_a_mail_cannot_act_on_the_page(sink: Sink) -> None:
    """What a mail says is text, and no script but our own may run."""
    await sink.send("<img src=x onerror=alert(1)>", "<script>alert(1)</script>")
    for address in ("/", "/mails/1"):
        answer = await sink.browser.get(address)
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_older_mails_are_a_page_further(sink: Sink) -> None:
    """A page has the newest hundred; the rest is behind a link."""
    for number in range(101):
        message = EmailMessage()
        message["Subject"] = f"mail {number + 1}"
        sink.mailbox.take("us@x", ["you@x"], message)
    newest = (await sink.browser.get("/")).text
    assert "mail 101<" in newest
    assert "mail 1<" not in newest
    assert 'href="/?before=2"' in newest
    assert "mail 1<" in (await sink.browser.get("/?before=2")).text


async def test_what_is_not_there_is_said(sink: Sink) -> None:
    """A mail that is not kept, and a number that is none, are answered in words."""
    missing = await sink.browser.get("/mails/7")
    assert (missing.status_code, "No such mail" in missing.text) == (404, True)
    assert "No mail yet" in (await sink.browser.get("/?before=nonsense")).text


async def test_numbers_go_on_after_a_crash(tmp_path: Path) -> None:
    """A new life of the sink drops the half line of a killed one and counts on."""
    message = EmailMessage()
    message["Subject"] = "kept"
    first = Mailbox(tmp_path / "mails.jsonl")
    await first.start()
    first.take("us@x", ["you@x"], message)
    await first.stop()
    with (tmp_path / "mails.jsonl").open("a") as file:
        file.write('{"number":2,"rec')
    second = Mailbox(tmp_path / "mails.jsonl")
    await second.start()
    second.take("us@x", ["you@x"], message)
    await second.stop()
    assert [mail.number for mail in second.since(0)] == [1, 2]
    assert (tmp_path / "mails.jsonl").read_text().count("\n") == 2


async def test_a_mail_that_cannot_be_kept_is_not_acknowledged(sink: Sink) -> None:
    """When the disk takes no more, the sender is asked to try again, and no half is left."""
    await sink.send("kept")
    with files_limited_to(sink.file.stat().st_size + 10), pytest.raises(smtplib.SMTPDataError):
        await sink.send("lost")
    await sink.send("kept as well")
    assert [mail.subject for mail in sink.mailbox.since(0)] == ["kept", "kept as well"]
    assert sink.file.read_text().count("\n") == 2


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Refuse to let any file of ours grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
