"""The SMTP client: a few open connections, and how the mail server's replies are read."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import aiosmtplib
import structlog

from notifier.domain import Deferred, DeliveryOutcome, Refused, Sent
from notifier.mail import Message, MessageComposer
from notifier.settings import Settings

__all__ = ["MailServer"]

_LOG = structlog.get_logger()
_CONNECTIONS_MAX: Final = 4
_MAIL_S_MAX: Final = 10
_BATCH_S_MAX: Final = 25
"""Well under the 60 s after which PostgreSQL ends an idle transaction."""
_GRACE_S: Final = 2
_QUIT_S: Final = 0.5
_PERMANENT: Final = range(500, 600)
_SHUTTING_DOWN: Final = 421


class MailServer:
    """Sends batches of messages; sends none to a server without the configured encryption."""

    def __init__(self, settings: Settings) -> None:
        self._composer = MessageComposer(settings.mail_from, settings.ticket_url)
        context = None if settings.smtp_security == "none" else ssl.create_default_context()
        password = settings.smtp_password
        self._clients = [
            aiosmtplib.SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                tls_context=context,
                username=settings.smtp_username,
                password=password.get_secret_value() if password else None,
                local_hostname=self._composer.host,
                timeout=_MAIL_S_MAX,
            )
            for _ in range(_CONNECTIONS_MAX)
        ]
        self._limit_s = _BATCH_S_MAX
        self._limit: asyncio.Timeout | None = None

    async def send(self, messages: Sequence[Message]) -> dict[UUID, DeliveryOutcome]:
        """Send messages, a few at once; return the outcomes by the id of the delivery.

        A delivery that was not finished before the time limit has no outcome. If no connection can
        be made, each delivery that is left is `Deferred`.
        """
        outcomes: dict[UUID, DeliveryOutcome] = {}
        waiting = deque(messages)
        connected_first = sorted(self._clients, key=lambda client: not client.is_connected)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_s) as self._limit:
                work = [self._work(client, waiting, outcomes) for client in connected_first]
                faults = [fault for fault in await asyncio.gather(*work) if fault is not None]
                outcomes |= {left.delivery.id: faults[0] for left in waiting}
        self._limit = None
        return outcomes

    def shorten_timeout(self) -> None:
        """Limit the rest of the current batch to 2 s, because the sender stops."""
        self._limit_s = _GRACE_S
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + _GRACE_S)

    async def close(self) -> None:
        """End all connections with QUIT."""
        for client in self._clients:
            with suppress(aiosmtplib.SMTPException, OSError):
                if client.is_connected:
                    await client.quit(timeout=_QUIT_S)
            client.close()

    async def _work(
        self,
        client: aiosmtplib.SMTP,
        waiting: deque[Message],
        outcomes: dict[UUID, DeliveryOutcome],
    ) -> Deferred | None:
        """Send waiting messages over one client, until none is left.

        If the client cannot connect, stop and return the fault; other clients send the rest.
        """
        while waiting:
            if not client.is_connected and (fault := await _connect(client)) is not None:
                return fault
            if waiting:
                message = waiting.popleft()
                outcomes[message.delivery.id] = await self._send(client, message)
        return None

    async def _send(self, client: aiosmtplib.SMTP, message: Message) -> DeliveryOutcome:
        """Send one message; after an error other than its refusal, close the connection."""
        try:
            async with asyncio.timeout(_MAIL_S_MAX):
                email = self._composer.compose(message)
                await client.send_message(email, recipients=[message.recipient])
        except aiosmtplib.SMTPRecipientsRefused as e:
            return _outcome_of_reply(client, e.recipients[0])
        except aiosmtplib.SMTPDataError as e:
            return _outcome_of_reply(client, e)
        except (aiosmtplib.SMTPNotSupported, ValueError) as e:
            return Refused(f"the address cannot be used in a mail: {e}")
        except (aiosmtplib.SMTPException, OSError) as e:
            client.close()
            return _deferred(e)
        except asyncio.CancelledError:
            client.close()
            raise
        except Exception as e:  # noqa: BLE001 - one message must not stop the others
            _LOG.exception("message_not_sent", delivery_id=str(message.delivery.id))
            client.close()
            return _deferred(e)
        return Sent()


async def _connect(client: aiosmtplib.SMTP) -> Deferred | None:
    try:
        async with asyncio.timeout(_MAIL_S_MAX):
            await client.connect()
    except (aiosmtplib.SMTPException, OSError) as e:
        return _deferred(e)
    return None


def _deferred(error: Exception) -> Deferred:
    return Deferred(f"{type(error).__name__}: {error}")


def _outcome_of_reply(
    client: aiosmtplib.SMTP, error: aiosmtplib.SMTPResponseException
) -> DeliveryOutcome:
    """Return what a reply about this recipient or mail means: refused by 5xx, else deferred."""
    if error.code == _SHUTTING_DOWN:
        client.close()
    reason = f"{error.code} {error.message}"
    return Refused(reason) if error.code in _PERMANENT else Deferred(reason)
