"""Stores mails: the newest in memory for the page, all of them in a file."""

import os
from collections import deque
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

__all__ = ["Mail", "Mailbox"]

_KEPT_MAX: Final = 10_000


class Mail(BaseModel):
    """A received mail; also a line of the file."""

    model_config = ConfigDict(frozen=True)

    number: int
    received_at: datetime
    sender: str
    recipients: list[str]
    message_id: str
    in_reply_to: str
    """The same for all mails of one conversation."""
    to: str
    subject: str
    headers: list[tuple[str, str]]
    body: str


class Mailbox:
    """The mails, by number. Numbers continue after a restart of the sink."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mails: deque[Mail] = deque(maxlen=_KEPT_MAX)
        self._file = -1

    @property
    def count(self) -> int:
        """The number of mails ever received."""
        return self._mails[-1].number if self._mails else 0

    async def start(self) -> None:
        """Open the file and read its newest mails; cut off a partial line that a kill left."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole_bytes = 0
        newest: deque[bytes] = deque(maxlen=_KEPT_MAX)
        with os.fdopen(os.dup(self._file), "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    whole_bytes += len(line)
                    newest.append(line)
        os.ftruncate(self._file, whole_bytes)
        self._mails.extend(map(Mail.model_validate_json, newest))

    async def stop(self) -> None:
        """Close the file."""
        os.close(self._file)

    def store(self, sender: str, recipients: list[str], message: Message) -> None:
        """Store a mail. Raises OSError if it cannot be written."""
        headers = [(name, _decoded(str(value))) for name, value in message.items()]
        named = {name.lower(): value for name, value in reversed(headers)}
        mail = Mail(
            number=self.count + 1,
            received_at=datetime.now(UTC),  # noqa: TID251 - the one place where mail arrives
            sender=sender,
            recipients=recipients,
            message_id=named.get("message-id", ""),
            in_reply_to=named.get("in-reply-to", ""),
            to=named.get("to") or ", ".join(recipients),
            subject=named.get("subject", ""),
            headers=headers,
            body=_text(message),
        )
        self._append(mail.model_dump_json().encode() + b"\n")
        self._mails.append(mail)

    def since(self, number: int) -> list[Mail]:
        """List the mails after this number, oldest first."""
        return [mail for mail in self._mails if mail.number > number]

    def page(self, before: int | None, size: int) -> list[Mail]:
        """List at most ``size`` mails, newest first: of all, or of those with a lower number."""
        newest_first = reversed(self._mails)
        older = (mail for mail in newest_first if before is None or mail.number < before)
        return [mail for mail, _ in zip(older, range(size), strict=False)]

    def find(self, number: int) -> Mail | None:
        """Return a mail if it is still in memory."""
        return next((mail for mail in self._mails if mail.number == number), None)

    def _append(self, line: bytes) -> None:
        end = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
        except OSError:
            written = 0
        if written < len(line):
            os.ftruncate(self._file, end)
            raise OSError(f"cannot write to {self._path}")


def _decoded(value: str) -> str:
    """Unfold a header, and decode what is not ASCII in it."""
    line = "".join(value.splitlines())
    return str(make_header(decode_header(line))) if "=?" in line else line


def _text(message: Message) -> str:
    """Return the first plain text part, else the first text part."""
    texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in texts if part.get_content_subtype() == "plain"]
    for part in (*plain, *texts):
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            return content.decode(part.get_content_charset("utf-8"), errors="replace")
    return ""
