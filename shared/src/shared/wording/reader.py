"""Writes messages for a reader: in their language, their time zone and with the names they know."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Final, NamedTuple, NewType

from babel import Locale, UnknownLocaleError

__all__ = ["Message", "Plural", "Reader"]

Message = NewType("Message", str)
"""A whole sentence with named placeholders: a key of the catalogue. It is made of one literal."""
_ENGLISH: Final = Locale("en")


class Plural(NamedTuple):
    """A message with a number, in two forms: for one, and for several. Both are literals."""

    one: str
    many: str


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


@dataclass(frozen=True, slots=True)
class Reader:
    """How values are written for a reader: instants, durations in seconds, and specialists' ids.

    ``catalogue`` translates the messages; without one they are English.
    """

    duration: Callable[[float], str]
    moment: Callable[[datetime], str] = _utc
    name: Callable[[str], str] = str
    catalogue: NullTranslations = NullTranslations()  # noqa: RUF009 - it is immutable

    def text(self, message: Message, **values: object) -> str:
        """Write a message with the values of its placeholders."""
        return self.catalogue.gettext(message).format_map(values)

    def plural(self, message: Plural, count: int, **values: object) -> str:
        """Write a message in the form for ``count``, which is also a placeholder."""
        chosen = self.catalogue.ngettext(message.one, message.many, count)
        return chosen.format_map({**values, "count": count})

    def language(self, tag: str) -> str:
        """Write a language's name, such as Japanese; its tag if it is unknown."""
        try:
            return Locale.parse(tag, sep="-").get_display_name(_ENGLISH) or tag
        except (UnknownLocaleError, ValueError):
            return tag
