"""The composed mail: its headers are correct and safe, whatever names they contain."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import Delivery
from notifier.mail import Message, MessageComposer
from shared.events import PromiseBreached
from shared.testing.builders import NOON

TICKET = UUID("11111111-1111-5111-8111-111111111111")
DELIVERY = UUID("22222222-2222-5222-8222-222222222222")
COMPOSER = MessageComposer("support@premium.example", "https://support.example/t/{ticket_id}")
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


def a_message(
    *, account_id: str = "Northwind", name: str = "Mara K.", address: str = "mara@support.example"
) -> Message:
    """Make a message about a breach."""
    fact = PromiseBreached(
        ticket_id=TICKET,
        account_id=account_id,
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        due_at=NOON,
    )
    return Message(Delivery(DELIVERY, "breach", None, fact, None, NOON), name, address)


def received(sent: Message) -> EmailMessage:
    """Compose a message, and parse it as a recipient's mail program does."""
    email = message_from_bytes(COMPOSER.compose(sent).as_bytes(), policy=SMTP)
    assert isinstance(email, EmailMessage)
    return email


def test_headers_are_complete() -> None:
    """They name sender, recipient, date, a derived id, the ticket's thread, and automation."""
    email = received(a_message())
    assert dict(email.items()) == {
        **dict(email.items()),
        "From": "Premium Support <support@premium.example>",
        "To": '"Mara K." <mara@support.example>',
        "Subject": "Promise broken · Northwind · standard email · was due 12:00 UTC",
        "Date": "Mon, 02 Mar 2026 12:00:00 +0000",
        "Message-ID": f"<{DELIVERY.hex}@premium.example>",
        "In-Reply-To": f"<{TICKET.hex}.ticket@premium.example>",
        "References": f"<{TICKET.hex}.ticket@premium.example>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
    }
    assert set(email.keys()) == HEADERS


def test_the_link_leads_to_the_ticket() -> None:
    """The text contains the ticket's URL."""
    assert f"https://support.example/t/{TICKET}" in received(a_message()).get_content()


def test_every_attempt_sends_the_same_bytes() -> None:
    """Composing a message twice gives equal bytes, so a repeated mail is recognised."""
    assert COMPOSER.compose(a_message()).as_bytes() == COMPOSER.compose(a_message()).as_bytes()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028"])
def test_no_name_adds_a_header(end: str) -> None:
    """Line breaks in the name of an account or a specialist add no header or recipient."""
    hostile = f"Acme{end}Bcc: everybody@example.org{end}{end}Buy now"
    email = received(a_message(account_id=hostile, name=hostile))
    assert set(email.keys()) == HEADERS
    assert email["To"].addresses[0].addr_spec == "mara@support.example"
    assert len(email["To"].addresses) == 1


@given(st.text(max_size=200), st.text(min_size=1, max_size=200))
def test_any_name_can_be_written(account_id: str, name: str) -> None:
    """A mail with any name can be composed, and its recipient is unchanged."""
    email = received(a_message(account_id=account_id, name=name))
    assert set(email.keys()) == HEADERS
    assert [a.addr_spec for a in email["To"].addresses] == ["mara@support.example"]


@pytest.mark.parametrize("address", ["mara\r\nRCPT TO:<x@y>@support.example", "mara\n@s.example"])
def test_an_address_with_a_line_break_is_refused(address: str) -> None:
    """Such an address could inject SMTP commands: composing the mail fails."""
    with pytest.raises(ValueError, match="CR or LF"):
        COMPOSER.compose(a_message(address=address))


@pytest.mark.parametrize(
    ("address", "recipient"),
    [
        ("li@support.example", "li@support.example"),
        ("li@büro.example", "li@xn--bro-hoa.example"),
        ("li@BÜRO.example", "li@xn--bro-hoa.example"),
        ("li@bu\u0308ro.example", "li@xn--bro-hoa.example"),
        ("li@xn--bro-hoa.example", "li@xn--bro-hoa.example"),
        ("li@почта.example", "li@xn--80a1acny.example"),
        ("li@straße.example", "li@xn--strae-oqa.example"),
        ("josé@büro.example", "josé@xn--bro-hoa.example"),
    ],
)
def test_a_domain_beyond_ascii_is_converted_to_ascii(address: str, recipient: str) -> None:
    """In the envelope and in the header, so that every mail server accepts it."""
    assert a_message(address=address).recipient == recipient
    assert received(a_message(address=address))["To"].addresses[0].addr_spec == recipient


def test_an_invalid_domain_is_refused() -> None:
    """Composing the mail fails before it reaches the mail server."""
    with pytest.raises(ValueError, match="U\\+200D"):
        COMPOSER.compose(a_message(address="li@ü\u200d.example"))
