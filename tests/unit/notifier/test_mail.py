"""The message that goes out: its headers hold, whatever names are in it."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain import Delivery
from notifier.mail import Letter, Letterhead
from shared.events import PromiseBreached
from shared.testing.builders import NOON

TICKET = UUID("11111111-1111-5111-8111-111111111111")
DELIVERY = UUID("22222222-2222-5222-8222-222222222222")
LETTERHEAD = Letterhead("support@premium.example", "https://support.example/t/{ticket_id}")
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


def letter(
    *, account_id: str = "Northwind", name: str = "Mara K.", address: str = "mara@support.example"
) -> Letter:
    """Tell somebody of a breach."""
    fact = PromiseBreached(
        ticket_id=TICKET,
        account_id=account_id,
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        due_at=NOON,
    )
    return Letter(Delivery(DELIVERY, "breach", None, fact, None, NOON), name, address)


def received(sent: Letter) -> EmailMessage:
    """Read the message as a recipient does."""
    message = message_from_bytes(LETTERHEAD.write(sent).as_bytes(), policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def test_headers_say_what_machines_want_to_know() -> None:
    """Sender, recipient, date, a derived id, one thread a ticket, and that no person wrote it."""
    message = received(letter())
    assert dict(message.items()) == {
        **dict(message.items()),
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
    assert set(message.keys()) == HEADERS


def test_the_link_leads_to_the_ticket() -> None:
    """The act is a link away."""
    assert f"https://support.example/t/{TICKET}" in received(letter()).get_content()


def test_every_try_sends_the_same_bytes() -> None:
    """A mail that is sent twice is seen to be the same."""
    assert LETTERHEAD.write(letter()).as_bytes() == LETTERHEAD.write(letter()).as_bytes()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028"])
def test_no_name_adds_a_header(end: str) -> None:
    """An account or a specialist of any name cannot write a header of their own."""
    hostile = f"Acme{end}Bcc: everybody@example.org{end}{end}Buy now"
    message = received(letter(account_id=hostile, name=hostile))
    assert set(message.keys()) == HEADERS
    assert message["To"].addresses[0].addr_spec == "mara@support.example"
    assert len(message["To"].addresses) == 1


@given(st.text(max_size=200), st.text(min_size=1, max_size=200))
def test_any_name_can_be_written(account_id: str, name: str) -> None:
    """There is no name that cannot be sent, or that changes whom a mail goes to."""
    message = received(letter(account_id=account_id, name=name))
    assert set(message.keys()) == HEADERS
    assert [a.addr_spec for a in message["To"].addresses] == ["mara@support.example"]


@pytest.mark.parametrize("address", ["mara\r\nRCPT TO:<x@y>@support.example", "mara\n@s.example"])
def test_an_address_with_a_line_break_is_refused(address: str) -> None:
    """An address that could speak SMTP of its own is not written at all."""
    with pytest.raises(ValueError, match="CR or LF"):
        LETTERHEAD.write(letter(address=address))


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
def test_a_domain_beyond_ascii_is_written_as_dns_has_it(address: str, recipient: str) -> None:
    """On the envelope and in the header: any mail server can take it."""
    assert letter(address=address).recipient == recipient
    assert received(letter(address=address))["To"].addresses[0].addr_spec == recipient


def test_a_domain_that_cannot_be_is_refused() -> None:
    """It is the letter's fault, not the server's."""
    with pytest.raises(ValueError, match="U\\+200D"):
        LETTERHEAD.write(letter(address="li@ü\u200d.example"))
