"""A delivery as a message of RFC 5322, the same at every try."""

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

__all__ = ["Letter", "Letterhead"]


class _Header(BaseHeader):
    """Is folded once for servers that take UTF-8 in headers, and once for those that do not."""

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
    """Remembers: most of the work of a mail is its headers, and most are as in the last."""

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
class Letter:
    """A delivery with whom it goes to."""

    delivery: Delivery
    name: str
    address: str

    @property
    def recipient(self) -> str:
        """The address as any mail server takes it: the domain in ASCII, as DNS has it.

        A local part beyond ASCII stays, and asks for a server with SMTPUTF8. Raises ValueError when
        there is no such domain.
        """
        local_part, _, host = self.address.rpartition("@")
        return f"{local_part}@{host if host.isascii() else idna.encode(host, uts46=True).decode()}"


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes, and where tickets are looked at: ``ticket_url`` holds ``{ticket_id}``."""

    mail_from: str
    ticket_url: str

    @property
    def host(self) -> str:
        """The right-hand side of our message ids, and the name we greet the mail server with."""
        return self.mail_from.rpartition("@")[2]

    def write(self, letter: Letter) -> EmailMessage:
        """Compose the message. Raises ValueError when no mail can bear the address.

        The message id is the delivery's: a mail that comes twice is seen to be the same. All
        mails of a ticket refer to one id that none of them has, so readers show them together.
        """
        delivery = letter.delivery
        ticket_id = delivery.fact.ticket_id
        mail = domain.render(delivery, link=self.ticket_url.replace("{ticket_id}", str(ticket_id)))
        thread = f"<{ticket_id.hex}.ticket@{self.host}>"
        message = EmailMessage(policy=_POLICY)
        message["From"] = _address("Premium Support", self.mail_from)
        message["To"] = _address(letter.name, letter.recipient)
        message["Subject"] = one_line(mail.subject)
        message["Date"] = delivery.planned_at
        message["Message-ID"] = f"<{delivery.id.hex}@{self.host}>"
        message["In-Reply-To"] = thread
        message["References"] = thread
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # what Exchange listens to
        for name, value in headers_of_context(delivery.traceparent):
            message[name] = value
        message.set_content(mail.text)
        return message


def _address(name: str, address: str) -> str:
    local_part, _, host = address.rpartition("@")
    return str(Address(one_line(name), local_part, host))
