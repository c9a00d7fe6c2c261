"""Telephone numbers: how they are read, what is refused, and what others may know of them."""

from typing import Any, Final

import pytest
from pydantic import ValidationError

from intake.domain import Number, NumberFault, NumberKeys, number_of
from shared.events import NumberReading, SupportRequest
from shared.testing.builders import NOON, an_account

BERLIN = "+49301234567"
KEYS = NumberKeys("one secret")
REQUEST: Final[dict[str, Any]] = {
    "source": "phone",
    "external_id": "P-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "channel": "phone",
    "subject": "Call me",
    "occurred_at": NOON,
}


def read(
    number: str | None, account: dict[str, object] | None = None, **more: object
) -> Number | None:
    """Read a number that came with a request of an account."""
    request = SupportRequest.model_validate({**REQUEST, "phone_number": number, **more})
    return number_of(request, None if account is None else an_account(**account))


@pytest.mark.parametrize(
    ("number", "account", "more", "country"),
    [
        ("+49 (0)30 123-4567", None, {}, "DE"),
        ("030 1234567", {"region": "DE-BE"}, {"region": "FR"}, "DE"),
        ("030 1234567", {"time_zone": "Europe/Berlin"}, {}, "DE"),
        ("030/1234567", None, {"region": "DE"}, "DE"),
        ("(030) 1234567", None, {"time_zone": "Europe/Berlin"}, "DE"),
    ],
)
def test_a_number_is_read_as_people_write_it(
    number: str, account: dict[str, object] | None, more: dict[str, Any], country: str
) -> None:
    """With its own code, or as one of the country of the account, else of the sender."""
    by = "number" if number.startswith("+") else "account"
    assert read(number, account, **more) == Number(BERLIN, NumberReading(country=country, by=by))


@pytest.mark.parametrize(
    ("number", "more", "fault"),
    [
        ("030 1234567", {}, "and the account's country is not known"),
        ("call me", {"region": "DE"}, "is no telephone number"),
        ("+41 3", {}, "has too few digits"),
        ("+49 30 12345678901234", {}, "has too many digits"),
        ("+999 1234567", {}, "country"),
        ("+1 000 000 0000", {}, "is given to nobody"),
        ("+49 30 1234567 ext. 12", {}, "extension"),
        ("+49 900 1123456", {}, "costs extra"),
    ],
)
def test_a_number_that_cannot_be_dialled_is_refused(
    number: str, more: dict[str, Any], fault: str
) -> None:
    """The fault and the remedy are said, the number is not repeated."""
    with pytest.raises(NumberFault, match=fault) as refused:
        read(number, **more)
    assert number not in str(refused.value)


def test_a_request_needs_no_number() -> None:
    """Whoever calls will know it."""
    assert read(None) is None


def test_a_key_tells_equal_numbers_and_nothing_more() -> None:
    """However it was written; with another secret it is another key."""
    one, other = read("+49 30 1234567"), read("030 1234567", {"region": "DE"})
    assert one is not None
    assert other is not None
    assert KEYS.key(one) == KEYS.key(other) != NumberKeys("another").key(one)
    assert len(KEYS.key(one)) == 32


def test_only_who_is_on_the_phone_has_dialled() -> None:
    """A mail cannot."""
    with pytest.raises(ValidationError, match="dialled goes with channel phone"):
        SupportRequest.model_validate({**REQUEST, "channel": "email", "dialled": True})
