"""The mail server: a few conversations that are kept open, and what its answers mean."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import aiosmtplib
import structlog

from notifier.domain import Deferred, Outcome, Refused, Sent
from notifier.mail import Letter, Letterhead
from notifier.settings import Settings

__all__ = ["MailServer"]

_LOG = structlog.get_logger()
_CONVERSATIONS: Final = 4
_MAIL_S_MAX: Final = 10
_BATCH_S_MAX: Final = 25
"""Well under the 60 s for which PostgreSQL lets a transaction wait for us."""
_GRACE_S: Final = 2
_FAREWELL_S: Final = 0.5
_FOR_GOOD: Final = range(500, 600)
_SHUTTING_DOWN: Final = 421


class MailServer:
    """Sends batches of letters. Without the security that is set, nothing is sent."""

    def __init__(self, settings: Settings) -> None:
        self._letterhead = Letterhead(settings.mail_from, settings.ticket_url)
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
                local_hostname=self._letterhead.host,
                timeout=_MAIL_S_MAX,
            )
            for _ in range(_CONVERSATIONS)
        ]
        self._limit_s = _BATCH_S_MAX
        self._limit: asyncio.Timeout | None = None

    async def send(self, letters: Sequence[Letter]) -> dict[UUID, Outcome]:
        """Send letters, a few at once; those that time ran out for are not in the answer."""
        outcomes: dict[UUID, Outcome] = {}
        waiting = deque(letters)
        connected_first = sorted(self._clients, key=lambda client: not client.is_connected)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_s) as self._limit:
                work = [self._work(client, waiting, outcomes) for client in connected_first]
                faults = [fault for fault in await asyncio.gather(*work) if fault is not None]
                outcomes |= {left.delivery.id: faults[0] for left in waiting}
        self._limit = None
        return outcomes

    def hurry(self) -> None:
        """Give the batch in hand two more seconds."""
        self._limit_s = _GRACE_S
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + _GRACE_S)

    async def close(self) -> None:
        """Take leave of the server."""
        for client in self._clients:
            with suppress(aiosmtplib.SMTPException, OSError):
                if client.is_connected:
                    await client.quit(timeout=_FAREWELL_S)
            client.close()

    async def _work(
        self, client: aiosmtplib.SMTP, waiting: deque[Letter], outcomes: dict[UUID, Outcome]
    ) -> Deferred | None:
        """Send until nothing waits. Who cannot connect says why, and leaves it to the others."""
        while waiting:
            if not client.is_connected and (fault := await _connect(client)) is not None:
                return fault
            if waiting:
                letter = waiting.popleft()
                outcomes[letter.delivery.id] = await self._send(client, letter)
        return None

    async def _send(self, client: aiosmtplib.SMTP, letter: Letter) -> Outcome:
        """Send one letter; a conversation that went wrong is ended, the next begins anew."""
        try:
            async with asyncio.timeout(_MAIL_S_MAX):
                message = self._letterhead.write(letter)
                await client.send_message(message, recipients=[letter.recipient])
        except aiosmtplib.SMTPRecipientsRefused as e:
            return _answered(client, e.recipients[0])
        except aiosmtplib.SMTPDataError as e:
            return _answered(client, e)
        except (aiosmtplib.SMTPNotSupported, ValueError) as e:
            return Refused(f"no mail can bear the address: {e}")
        except (aiosmtplib.SMTPException, OSError) as e:
            client.close()
            return _deferred(e)
        except asyncio.CancelledError:
            client.close()
            raise
        except Exception as e:  # noqa: BLE001 - one letter must not stop the others
            _LOG.exception("letter_not_written", delivery_id=str(letter.delivery.id))
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


def _answered(client: aiosmtplib.SMTP, error: aiosmtplib.SMTPResponseException) -> Outcome:
    """Judge an answer about this recipient or mail; one about us is never for good."""
    if error.code == _SHUTTING_DOWN:
        client.close()
    reason = f"{error.code} {error.message}"
    return Refused(reason) if error.code in _FOR_GOOD else Deferred(reason)
