"""Telephone numbers: read as people write them, kept in E.164, known elsewhere by a digest."""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    number_type,
    parse,
    region_code_for_number,
)

from shared.calendars import country_of
from shared.events import AccountListed, NumberReading, SupportRequest

__all__ = ["Number", "NumberFault", "NumberKeys", "number_of"]

_KEY_BYTES: Final = 16
_REMEDY: Final = "write it with + and the country's code, as +49 30 1234567"
_SHORT, _LONG = "has too few digits", "has too many digits"
_UNREAD: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "begins with the code of no country",
    NumberParseException.TOO_SHORT_AFTER_IDD: _SHORT,
    NumberParseException.TOO_SHORT_NSN: _SHORT,
    NumberParseException.TOO_LONG: _LONG,
}
_UNFIT: Final = {
    ValidationResult.TOO_SHORT: _SHORT,
    ValidationResult.TOO_LONG: _LONG,
}


class NumberFault(ValueError):  # noqa: N818 - an answer to the sender
    """It cannot be dialled; the text says why and what to write instead, and repeats no digit."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can be dialled, in E.164, and how it was read."""

    e164: str
    reading: NumberReading


class NumberKeys:
    """Makes of a number what tells that another is equal, and nothing else.

    A keyed digest (HMAC-SHA256, 128 bits): numbers are few enough to try them all, so without the
    secret nobody finds the number, and with another secret all keys are new ones.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def key(self, number: Number) -> str:
        """Name a number."""
        return hmac.new(self._secret, number.e164.encode(), sha256).digest()[:_KEY_BYTES].hex()


def number_of(request: SupportRequest, account: AccountListed | None) -> Number | None:
    """Read the number that a request brings, if any. Raises NumberFault.

    Without a + it is one of the country that the account is in, then the sender's: by region,
    else by time zone.
    """
    if request.phone_number is None:
        return None
    country = _country(request, account)
    national = not request.phone_number.lstrip().startswith("+")
    try:
        number = parse(request.phone_number, country)
    except NumberParseException as e:
        if e.error_type == NumberParseException.INVALID_COUNTRY_CODE and national and not country:
            raise NumberFault(f"has no +, and the account's country is not known; {_REMEDY}") from e
        raise NumberFault(
            f"{_UNREAD.get(e.error_type, 'is no telephone number')}; {_REMEDY}"
        ) from e
    _refuse_what_nobody_dials(number)
    reading = NumberReading(
        country=region_code_for_number(number), by="account" if national else "number"
    )
    return Number(format_number(number, PhoneNumberFormat.E164), reading)


def _country(request: SupportRequest, account: AccountListed | None) -> str | None:
    zones = (None if account is None else account.time_zone, request.time_zone)
    regions = (None if account is None else account.region, request.region)
    named = (region.partition("-")[0] for region in regions if region is not None)
    placed = (country_of(zone) for zone in zones if zone is not None)
    return next((country for country in (*named, *placed) if country is not None), None)


def _refuse_what_nobody_dials(number: PhoneNumber) -> None:
    if number.extension:
        raise NumberFault("has an extension, which cannot be dialled; write it into the body")
    if not is_valid_number(number):
        unfit = _UNFIT.get(is_possible_number_with_reason(number), "is given to nobody")
        raise NumberFault(f"{unfit}; {_REMEDY}")
    if number_type(number) == PhoneNumberType.PREMIUM_RATE:
        raise NumberFault("costs extra to dial; send one that does not")
