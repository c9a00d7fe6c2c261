"""Telephone numbers: how they are parsed, which are refused, and their keys."""

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
    """Parse the number of a request of an account."""
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
def test_a_number_may_have_any_common_notation(
    number: str, account: dict[str, object] | None, more: dict[str, Any], country: str
) -> None:
    """With a country code, or as a number of the account's country, else of the request's."""
    by = "number" if number.startswith("+") else "account"
    assert read(number, account, **more) == Number(BERLIN, NumberReading(country=country, by=by))


@pytest.mark.parametrize(
    ("number", "more", "fault"),
    [
        ("030 1234567", {}, "and the account's country is not known"),
        ("call me", {"region": "DE"}, "is not a telephone number"),
        ("+41 3", {}, "has too few digits"),
        ("+49 30 12345678901234", {}, "has too many digits"),
        ("+999 1234567", {}, "country"),
        ("+1 000 000 0000", {}, "is not assigned to anyone"),
        ("+49 30 1234567 ext. 12", {}, "extension"),
        ("+49 900 1123456", {}, "is a premium-rate number"),
    ],
)
def test_a_number_that_cannot_be_dialled_is_refused(
    number: str, more: dict[str, Any], fault: str
) -> None:
    """The error has the fault and the remedy, but not the number."""
    with pytest.raises(NumberFault, match=fault) as refused:
        read(number, **more)
    assert number not in str(refused.value)


@pytest.mark.parametrize(
    ("now", "former", "region"),
    [
        ("+52 55 5123 4567", "+5215551234567", "MX"),
        ("+52 55 5123 4567", "5215551234567", "MX"),
        ("+52 55 5123 4567", "044 55 5123 4567", "MX"),
        ("+52 55 5123 4567", "045 55 5123 4567", "MX"),
        ("+52 55 5123 4567", "01 55 5123 4567", "MX"),
        ("+52 55 5123 4567", "55 5123 4567", "MX"),
        ("+54 9 11 2345 6789", "011 15 2345-6789", "AR"),
        ("+54 9 11 2345 6789", "+54 11 15 2345 6789", "AR"),
        ("+55 11 98765 4321", "+55 11 8765 4321", "BR"),
        ("+55 11 98765 4321", "(11) 8765-4321", "BR"),
        ("+55 11 98765 4321", "0 15 11 98765 4321", "BR"),
        ("+225 07 07 12 34 56", "+225 07 12 34 56", "CI"),
        ("+225 05 45 12 34 56", "+225 45 12 34 56", "CI"),
        ("+225 01 01 12 34 56", "01 12 34 56", "CI"),
        ("+229 01 97 12 34 56", "+229 97 12 34 56", "BJ"),
        ("+229 01 97 12 34 56", "97 12 34 56", "BJ"),
        ("+44 20 7946 0018", "+44 (0) 20 7946 0018", "GB"),
        ("+62 812 3456 7890", "+62 0812 3456 7890", "ID"),
    ],
)
def test_one_subscriber_has_one_key(now: str, former: str, region: str) -> None:
    """A number in a country's former notation has the same key as in today's notation."""
    one, other = read(now), read(former, {"region": region})
    assert one is not None
    assert other is not None
    assert KEYS.key(one) == KEYS.key(other)


@pytest.mark.parametrize("number", ["+521555123456", "+55 11 1234 567", "+229 12", "+52 044 12345"])
def test_an_incomplete_former_number_is_refused(number: str) -> None:
    """Only a complete number in a former notation is converted."""
    with pytest.raises(NumberFault):
        read(number)


def test_a_request_needs_no_number() -> None:
    """Without a number the result is None."""
    assert read(None) is None


def test_equal_numbers_have_equal_keys() -> None:
    """In any notation; another secret gives another key."""
    one, other = read("+49 30 1234567"), read("030 1234567", {"region": "DE"})
    assert one is not None
    assert other is not None
    assert KEYS.key(one) == KEYS.key(other) != NumberKeys("another").key(one)
    assert len(KEYS.key(one)) == 32


def test_only_a_phone_request_can_be_dialled() -> None:
    """`dialled` is refused for a request by email."""
    with pytest.raises(ValidationError, match="dialled goes with channel phone"):
        SupportRequest.model_validate({**REQUEST, "channel": "email", "dialled": True})
