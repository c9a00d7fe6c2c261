"""A mail server for tests, whose replies the test sets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from itertools import repeat
from typing import override

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

__all__ = ["MARA", "NOOR", "OK", "Answer", "MailSink", "hang_up"]

type Answer = str | Callable[[SMTP], Awaitable[str]]

MARA, NOOR = "mara@support.example", "noor@support.example"
OK = "250 2.0.0 accepted"


class Busy(asyncio.Protocol):
    """Replies that there are too many connections, and closes the connection."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"421 4.7.0 too many connections\r\n")
        transport.close()


class MailSink:
    """A mail server in the test's process; tests set its reply to each recipient."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to_rcpt: dict[str, Iterator[str]] = {}
        self.to_data: dict[str, Iterator[Answer]] = {}
        self.connections: list[SMTP] = []
        self.connections_max = 100
        self.supports_utf8 = True
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port; after a stop, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
            for connection in self.connections:
                hang_up(connection)
            await self._server.wait_closed()

    @property
    def ids(self) -> list[str]:
        """The message ids of the received mails."""
        return [mail["Message-ID"] for mail in self.mails]

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails received for an address."""
        return [mail for mail in self.mails if mail["To"].addresses[0].addr_spec == address]

    def _connected(self) -> asyncio.Protocol:
        if len(self.connections) >= self.connections_max:
            return Busy()
        self.connections.append(SMTP(self, hostname="sink", enable_SMTPUTF8=self.supports_utf8))
        return self.connections[-1]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self,
        _server: SMTP,
        _session: Session,
        envelope: SmtpEnvelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Reply to a recipient as set by the test."""
        reply = next(self.to_rcpt.get(address, repeat(OK)))
        if reply == OK:
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, _session: Session, envelope: SmtpEnvelope
    ) -> str:
        """Keep the mail, then reply as set by the test."""
        mail = message_from_bytes(envelope.original_content or b"", policy=SMTP_POLICY)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        reply = next(self.to_data.get(envelope.rcpt_tos[0], repeat(OK)))
        return reply if isinstance(reply, str) else await reply(server)


def hang_up(connection: SMTP) -> None:
    """Abort a connection."""
    if isinstance(connection.transport, asyncio.WriteTransport):
        connection.transport.abort()
