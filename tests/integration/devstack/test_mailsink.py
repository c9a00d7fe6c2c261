"""The mail sink accepts every mail, numbers on after a crash, and runs no script of a mail."""

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
    """A mail sink, and an HTTP client of its page."""

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
        await asyncio.to_thread(self._submit, message)

    def _submit(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.send_message(message)


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """Run a mail sink."""
    sink = Sink(tmp_path / "mails.jsonl")
    await sink.mailbox.start()
    await sink.smtp.start()
    yield sink
    await sink.smtp.stop()
    await sink.mailbox.stop()


async def test_mails_after_a_number_are_listed(sink: Sink) -> None:
    """The list has the mails after a number, and the total."""
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


async def test_headers_and_text_are_decoded(sink: Sink) -> None:
    """On the page and in the file, text that is not ASCII is as it was written."""
    await sink.send("Noch 12 Minuten für Käthe", "Größe: „ß“")
    page = (await sink.browser.get("/mails/1")).text
    assert "Noch 12 Minuten für Käthe" in page
    assert "Größe: „ß“" in page
    assert "Größe" in sink.file.read_text()


async def test_a_mail_cannot_run_a_script_on_the_page(sink: Sink) -> None:
    """A mail's content is shown as text, and the page allows only its own scripts."""
    await sink.send("<img src=x onerror=alert(1)>", "<script>alert(1)</script>")
    for address in ("/", "/mails/1"):
        answer = await sink.browser.get(address)
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_older_mails_are_on_the_next_page(sink: Sink) -> None:
    """A page has the newest hundred mails; a link leads to older ones."""
    for number in range(101):
        message = EmailMessage()
        message["Subject"] = f"mail {number + 1}"
        sink.mailbox.store("us@x", ["you@x"], message)
    newest = (await sink.browser.get("/")).text
    assert "mail 101<" in newest
    assert "mail 1<" not in newest
    assert 'href="/?before=2"' in newest
    assert "mail 1<" in (await sink.browser.get("/?before=2")).text


async def test_a_missing_mail_is_reported(sink: Sink) -> None:
    """An unknown mail gives 404 with a text; an invalid number counts as none."""
    missing = await sink.browser.get("/mails/7")
    assert (missing.status_code, "No such mail" in missing.text) == (404, True)
    assert "No mail yet" in (await sink.browser.get("/?before=nonsense")).text


async def test_numbers_continue_after_a_crash(tmp_path: Path) -> None:
    """A restarted sink drops the partial line of a killed one, and continues its numbers."""
    message = EmailMessage()
    message["Subject"] = "kept"
    first = Mailbox(tmp_path / "mails.jsonl")
    await first.start()
    first.store("us@x", ["you@x"], message)
    await first.stop()
    with (tmp_path / "mails.jsonl").open("a") as file:
        file.write('{"number":2,"rec')
    second = Mailbox(tmp_path / "mails.jsonl")
    await second.start()
    second.store("us@x", ["you@x"], message)
    await second.stop()
    assert [mail.number for mail in second.since(0)] == [1, 2]
    assert (tmp_path / "mails.jsonl").read_text().count("\n") == 2


async def test_a_mail_that_cannot_be_stored_is_not_acknowledged(sink: Sink) -> None:
    """If the disk is full, the sender is asked to try again, and no partial line stays."""
    await sink.send("kept")
    with files_limited_to(sink.file.stat().st_size + 10), pytest.raises(smtplib.SMTPDataError):
        await sink.send("lost")
    await sink.send("kept as well")
    assert [mail.subject for mail in sink.mailbox.since(0)] == ["kept", "kept as well"]
    assert sink.file.read_text().count("\n") == 2


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Limit the size of all files that this process writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
