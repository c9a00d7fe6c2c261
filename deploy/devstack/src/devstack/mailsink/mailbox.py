"""Keeps the mails: the newest in memory for the page, all of them in a file for the record."""

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
    """A mail as it was taken, and as a line of the file."""

    model_config = ConfigDict(frozen=True)

    number: int
    received_at: datetime
    sender: str
    recipients: list[str]
    message_id: str
    in_reply_to: str
    """What mails of one conversation have in common."""
    to: str
    subject: str
    headers: list[tuple[str, str]]
    body: str


class Mailbox:
    """The mails, by number. Numbers go on where an earlier life of the sink stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mails: deque[Mail] = deque(maxlen=_KEPT_MAX)
        self._file = -1

    @property
    def count(self) -> int:
        """How many were ever taken."""
        return self._mails[-1].number if self._mails else 0

    async def start(self) -> None:
        """Open the file and read its newest mails; a half line that a kill left is cut off."""
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

    def take(self, sender: str, recipients: list[str], message: Message) -> None:
        """Keep a mail. Raises OSError if it cannot be written; then it was not taken."""
        headers = [(name, _decoded(str(value))) for name, value in message.items()]
        named = {name.lower(): value for name, value in reversed(headers)}
        mail = Mail(
            number=self.count + 1,
            received_at=datetime.now(UTC),  # noqa: TID251 - the one edge where mail comes in
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
        """List what came after this one, oldest first."""
        return [mail for mail in self._mails if mail.number > number]

    def page(self, before: int | None, size: int) -> list[Mail]:
        """List the newest, or the newest of those before this number; newest first."""
        newest_first = reversed(self._mails)
        older = (mail for mail in newest_first if before is None or mail.number < before)
        return [mail for mail, _ in zip(older, range(size), strict=False)]

    def find(self, number: int) -> Mail | None:
        """Look for one that is still in memory."""
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
    """Find the text that people read: the first plain part, else the first of any kind."""
    texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in texts if part.get_content_subtype() == "plain"]
    for part in (*plain, *texts):
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            return content.decode(part.get_content_charset("utf-8"), errors="replace")
    return ""
