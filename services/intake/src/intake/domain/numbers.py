"""Telephone numbers: parsed in any common notation, stored in E.164, published as digests."""

import hmac
import re
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
    national_significant_number,
    number_type,
    parse,
    region_code_for_number,
)

from shared.events import AccountListed, NumberReading, SupportRequest
from shared.sla.calendars import country_of

__all__ = ["Number", "NumberFault", "NumberKeys", "number_of"]

_KEY_BYTES: Final = 16
_REMEDY: Final = "write it with + and the country code, such as +49 30 1234567"
_SHORT, _LONG = "has too few digits", "has too many digits"
_UNREAD: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "begins with an unknown country code",
    NumberParseException.TOO_SHORT_AFTER_IDD: _SHORT,
    NumberParseException.TOO_SHORT_NSN: _SHORT,
    NumberParseException.TOO_LONG: _LONG,
}
_UNFIT: Final = {
    ValidationResult.TOO_SHORT: _SHORT,
    ValidationResult.TOO_LONG: _LONG,
}


_FORMER: Final = (
    (52, re.compile(r"0?(?:1|44|45)(\d{10})"), r"\1"),  # Mexico: no 1, 01, 044, 045 since 2019
    (55, re.compile(r"(\d{2})([6-9]\d{7})"), r"\g<1>9\2"),  # Brazil: mobiles got a ninth digit
    (225, re.compile(r"([04-9][0-3]\d{6})"), r"01\1"),  # Ivory Coast: an operator's digits
    (225, re.compile(r"([04-9][4-6]\d{6})"), r"05\1"),
    (225, re.compile(r"([04-9][7-9]\d{6})"), r"07\1"),
    (229, re.compile(r"(\d{8})"), r"01\1"),  # Benin: 01 came in 2024
)
"""Former notations that messengers still use (from ITU's list of changes): country code, pattern
of the former number, today's number. They are tried on numbers that are not valid today."""


class NumberFault(ValueError):  # noqa: N818 - an answer to the sender
    """A number cannot be dialled. The text has the reason and the remedy, but no digit of it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can be dialled, in E.164, and how it was parsed."""

    e164: str
    reading: NumberReading


class NumberKeys:
    """Makes number keys: digests by which equal numbers are recognised.

    They are keyed digests (HMAC-SHA256, 128 bits). A plain digest would reveal the number, because
    the digests of all possible numbers can be computed. Another secret gives other keys.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def key(self, number: Number) -> str:
        """Return the key of a number, in hexadecimal."""
        return hmac.new(self._secret, number.e164.encode(), sha256).digest()[:_KEY_BYTES].hex()


def number_of(request: SupportRequest, account: AccountListed | None) -> Number | None:
    """Parse the number in a request, if there is one.

    A number without a + is read as one of a country, the first that is known: of the account's
    region, the request's region, the account's time zone, the request's time zone.

    Raises:
        NumberFault: The number cannot be dialled.
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
            f"{_UNREAD.get(e.error_type, 'is not a telephone number')}; {_REMEDY}"
        ) from e
    number = _in_todays_notation(number)
    _refuse_undialable(number)
    reading = NumberReading(
        country=region_code_for_number(number), by="account" if national else "number"
    )
    return Number(format_number(number, PhoneNumberFormat.E164), reading)


def _in_todays_notation(number: PhoneNumber) -> PhoneNumber:
    if is_valid_number(number):
        return number
    digits = national_significant_number(number)
    for code, former, now in _FORMER:
        if code == number.country_code and former.fullmatch(digits):
            found = parse(f"+{code}{former.sub(now, digits)}")
            if is_valid_number(found):
                return found
    return number


def _country(request: SupportRequest, account: AccountListed | None) -> str | None:
    zones = (None if account is None else account.time_zone, request.time_zone)
    regions = (None if account is None else account.region, request.region)
    named = (region.partition("-")[0] for region in regions if region is not None)
    placed = (country_of(zone) for zone in zones if zone is not None)
    return next((country for country in (*named, *placed) if country is not None), None)


def _refuse_undialable(number: PhoneNumber) -> None:
    if number.extension:
        raise NumberFault("has an extension, which cannot be dialled; write it into the body")
    if not is_valid_number(number):
        unfit = _UNFIT.get(is_possible_number_with_reason(number), "is not assigned to anyone")
        raise NumberFault(f"{unfit}; {_REMEDY}")
    if number_type(number) == PhoneNumberType.PREMIUM_RATE:
        raise NumberFault("is a premium-rate number; send one that is not")
