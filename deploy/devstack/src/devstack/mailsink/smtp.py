"""Receives mail over SMTP. A mail is acknowledged when it is in the file."""

import asyncio
import email
import logging
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.mailsink.mailbox import Mailbox

__all__ = ["SmtpServer"]

_SIZE_BYTES_MAX: Final = 10 * 1024 * 1024


class SmtpServer:
    """The SMTP server of a mailbox."""

    def __init__(self, mailbox: Mailbox, *, host: str, port: int) -> None:
        self._mailbox = mailbox
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError if the port is in use."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(
                self,
                hostname="localhost",
                ident="Premium mail sink",
                data_size_limit=_SIZE_BYTES_MAX,
                enable_SMTPUTF8=True,
            ),
            self._host,
            self._port,
        )

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Store a mail and acknowledge it, or ask the sender to try later."""
        message = email.message_from_bytes(envelope.original_content or b"")
        try:
            self._mailbox.store(envelope.mail_from or "", envelope.rcpt_tos, message)
        except OSError as e:
            return f"452 4.3.1 {e}"
        return "250 2.0.0 accepted"
