"""Composes the mail of a delivery (RFC 5322); the same values always give the same bytes."""

from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, Policy
from functools import lru_cache
from typing import Any, Final, override

import idna

from notifier import domain
from notifier.domain import Delivery, one_line
from shared.basics.tracing import headers_of_context

__all__ = ["Message", "MessageComposer"]


class _Header(BaseHeader):
    """A header that caches its text as written to a mail: once with UTF-8, once with ASCII only."""

    @override
    def init(self, name: str, **parsed: Any) -> None:
        super().init(name, **parsed)
        self._folded: dict[bool, str] = {}

    @override
    def fold(self, *, policy: Policy) -> str:
        utf8 = getattr(policy, "utf8", False)
        if utf8 not in self._folded:
            self._folded[utf8] = super().fold(policy=policy)
        return self._folded[utf8]


class _Headers(HeaderRegistry):
    """A registry that caches parsed headers: parsing them is most of the work of a mail."""

    def __init__(self) -> None:
        super().__init__(base_class=_Header)
        self._parse = lru_cache(maxsize=1000)(super().__call__)
        self._kind = lru_cache(maxsize=100)(super().__getitem__)

    @override
    def __call__(self, name: str, value: Any) -> BaseHeader:
        return self._parse(name, value)

    @override
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return self._kind(name)


_POLICY: Final = SMTP.clone(header_factory=_Headers())


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery with its recipient's name and address."""

    delivery: Delivery
    name: str
    address: str

    @property
    def recipient(self) -> str:
        """The address with its domain in ASCII (IDNA), which every mail server accepts.

        A local part with non-ASCII characters is kept; the mail server then needs SMTPUTF8.

        Raises:
            ValueError: The domain is not a valid domain name.
        """
        local_part, _, host = self.address.rpartition("@")
        return f"{local_part}@{host if host.isascii() else idna.encode(host, uts46=True).decode()}"


@dataclass(frozen=True, slots=True)
class MessageComposer:
    """Composes mails from one sender. ``ticket_url`` has ``{ticket_id}`` where the id belongs."""

    mail_from: str
    ticket_url: str

    @property
    def host(self) -> str:
        """The domain of the sender: used in message ids, and in the SMTP greeting (EHLO)."""
        return self.mail_from.rpartition("@")[2]

    def compose(self, message: Message) -> EmailMessage:
        """Compose a mail.

        The Message-ID is derived from the delivery, so mail readers recognise a mail that was
        sent twice. All mails of a ticket reference one id, so mail readers show them as one
        thread.

        Raises:
            ValueError: The address cannot be written into a mail header.
        """
        delivery = message.delivery
        ticket_id = delivery.fact.ticket_id
        mail = domain.render(delivery, link=self.ticket_url.replace("{ticket_id}", str(ticket_id)))
        thread = f"<{ticket_id.hex}.ticket@{self.host}>"
        email = EmailMessage(policy=_POLICY)
        email["From"] = _address("Premium Support", self.mail_from)
        email["To"] = _address(message.name, message.recipient)
        email["Subject"] = one_line(mail.subject)
        email["Date"] = delivery.planned_at
        email["Message-ID"] = f"<{delivery.id.hex}@{self.host}>"
        email["In-Reply-To"] = thread
        email["References"] = thread
        email["Auto-Submitted"] = "auto-generated"
        email["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # the same for Exchange
        for name, value in headers_of_context(delivery.traceparent):
            email[name] = value
        email.set_content(mail.text)
        return email


def _address(name: str, address: str) -> str:
    local_part, _, host = address.rpartition("@")
    return str(Address(one_line(name), local_part, host))
