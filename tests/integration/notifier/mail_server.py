"""A mail server that answers as it is told to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from itertools import repeat
from typing import override

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Talk

__all__ = ["MARA", "NOOR", "OK", "Answer", "MailSink", "hang_up"]

type Answer = str | Callable[[SMTP], Awaitable[str]]

MARA, NOOR = "mara@support.example", "noor@support.example"
OK = "250 2.0.0 taken"


class Busy(asyncio.Protocol):
    """Says that there are too many, and hangs up."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"421 4.7.0 too many connections\r\n")
        transport.close()


class MailSink:
    """A mail server in this very process. What it answers to whom is set by the test."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to_rcpt: dict[str, Iterator[str]] = {}
        self.to_data: dict[str, Iterator[Answer]] = {}
        self.talks: list[SMTP] = []
        self.talks_max = 100
        self.takes_utf8 = True
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; after a stop, where it listened before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
            for talk in self.talks:
                hang_up(talk)
            await self._server.wait_closed()

    @property
    def ids(self) -> list[str]:
        """The message ids of what came in."""
        return [mail["Message-ID"] for mail in self.mails]

    def to(self, address: str) -> list[EmailMessage]:
        """Look into somebody's letter box."""
        return [mail for mail in self.mails if mail["To"].addresses[0].addr_spec == address]

    def _talk(self) -> asyncio.Protocol:
        if len(self.talks) >= self.talks_max:
            return Busy()
        self.talks.append(SMTP(self, hostname="sink", enable_SMTPUTF8=self.takes_utf8))
        return self.talks[-1]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, talk: Talk, address: str, _options: list[str]
    ) -> str:
        """Answer to a recipient as the test says."""
        answer = next(self.to_rcpt.get(address, repeat(OK)))
        if answer == OK:
            talk.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, _session: Session, talk: Talk
    ) -> str:
        """Keep the mail, then answer as the test says."""
        mail = message_from_bytes(talk.original_content or b"", policy=SMTP_POLICY)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        answer = next(self.to_data.get(talk.rcpt_tos[0], repeat(OK)))
        return answer if isinstance(answer, str) else await answer(server)


def hang_up(talk: SMTP) -> None:
    """Cut the line."""
    if isinstance(talk.transport, asyncio.WriteTransport):
        talk.transport.abort()
