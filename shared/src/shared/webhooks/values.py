"""Values read from an event: text with JSONPaths, tables of values, formats of time."""

import re
from collections.abc import Iterator, Sized
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

import jsonpath
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from shared.basics.yaml_source import did_you_mean
from shared.events.accounts import Zone

__all__ = [
    "JsonPath",
    "MissingValue",
    "Part",
    "UnusableValue",
    "Value",
    "ValueOf",
    "not_empty",
    "texts_at",
]

_TIMES: Final = ("iso", "epoch_s", "epoch_ms")
_PIECES: Final = re.compile(r"\{([^{}]*)\}")
_PATHS_KEPT: Final = 1_000
_DIGITS_MAX: Final = 16


class MissingValue(Exception):  # noqa: N818 - names the fault
    """The event has no value at a path; the message is that path."""


class UnusableValue(Exception):  # noqa: N818 - names the fault
    """The event's value cannot be used; the message says why, without the value itself."""


@lru_cache(_PATHS_KEPT)
def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    return jsonpath.compile(path, strict=True)


def not_empty[T: Sized](several: T) -> T:
    """Return the collection. Raises ValueError if it is empty; its items are validated before."""
    if not several:
        raise ValueError("is empty; add one")
    return several


def _a_path(path: str) -> str:
    try:
        _compiled(path)
    except jsonpath.JSONPathError as e:
        why = str(e).partition("\n")[0]
        raise ValueError(f"{path!r} is no JSONPath ({why}); write one such as $.ticket.id") from e
    return path


def _a_text(text: str) -> str:
    for path in _PIECES.findall(text):
        _a_path(path)
    if set(_PIECES.sub("", text)) & set("{}"):
        raise ValueError("an unmatched brace; braces enclose a JSONPath, as in {$.ticket.id}")
    return text


type JsonPath = Annotated[str, AfterValidator(_a_path)]
type Text = Annotated[str, AfterValidator(_a_text)]


def texts_at(path: str, event: dict[str, Any]) -> list[str]:
    """Return the values at a path as texts, without nulls. Raises UnusableValue if not plain."""
    return [_text(path, value) for value in _compiled(path).findall(event) if value is not None]


def _text(path: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case _:
            raise UnusableValue(f"{path} is no plain value")


def _one_text(path: str, event: dict[str, Any]) -> str:
    match texts_at(path, event):
        case []:
            raise MissingValue(path)
        case [text]:
            return text
        case several:
            raise UnusableValue(f"{path} has {len(several)} values; make the path lead to one")


class Part(BaseModel):
    """A part of a file of connections."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class Value(Part):
    """Text ``from`` the event, translated by the table ``values``, or parsed as a ``time``.

    ``default`` replaces a value that is missing or not in the table. ``time`` is iso, epoch_s,
    epoch_ms or a format of strptime; ``zone`` applies to times without one.
    """

    text: Text = Field(alias="from")
    values: dict[str, str] | None = None
    default: str | None = None
    time: str | None = None
    zone: Zone | None = None

    @model_validator(mode="after")
    def _is_read_in_one_way(self) -> Self:
        if self.time is None:
            if self.zone is not None:
                raise ValueError("zone goes with time only; add time, such as iso")
            return self
        if self.values is not None or self.default is not None:
            raise ValueError("a time has no table and no default; keep one of the two")
        if self.time not in _TIMES and "%" not in self.time:
            hint = did_you_mean(self.time, _TIMES)
            raise ValueError(f"{self.time!r} is no form of time; {hint}")
        if "%" in self.time and "%z" not in self.time and self.zone is None:
            raise ValueError("the format has no %z; add zone, such as Europe/Berlin")
        return self

    @property
    def constants(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The values that do not come from the event, each with its path in the mapping."""
        if self.values is None and not _PIECES.search(self.text):
            yield ("from",), self.text
        if self.default is not None:
            yield ("default",), self.default
        for sent, ours in (self.values or {}).items():
            yield ("values", sent), ours

    def read(self, event: dict[str, Any]) -> str | datetime:
        """Return the value from an event. Raises MissingValue or UnusableValue."""
        try:
            text = _PIECES.sub(lambda piece: _one_text(piece[1], event), self.text)
        except MissingValue:
            if self.default is None:
                raise
            return self.default
        if self.time is not None:
            return _moment(text, self.time, self.zone)
        if self.values is None:
            return text
        if text in self.values:
            return self.values[text]
        if self.default is not None:
            return self.default
        raise UnusableValue(f"{self.text} is not in its table, which has {', '.join(self.values)}")


def _short(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


type ValueOf = Annotated[Value, BeforeValidator(_short)]
"""A value, or as a short form only its text."""


def _moment(text: str, form: str, zone: str | None) -> datetime:
    try:
        match form:
            case "epoch_s" | "epoch_ms" if not (text.isascii() and text.isdecimal()):
                raise UnusableValue(f"is no {form}: not a whole number")
            case "epoch_s" | "epoch_ms" if len(text) > _DIGITS_MAX:
                raise UnusableValue(f"is no {form}: too many digits")
            case "epoch_s":
                return datetime.fromtimestamp(int(text), UTC)
            case "epoch_ms":
                seconds, ms = divmod(int(text), 1000)
                return datetime.fromtimestamp(seconds, UTC).replace(microsecond=ms * 1000)
            case "iso":
                moment = datetime.fromisoformat(text)
            case _:
                moment = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is added below
    except (ValueError, OverflowError, OSError) as e:
        raise UnusableValue(f"is no time of the form {form}") from e
    if moment.tzinfo is None and zone is None:
        raise UnusableValue("is a time without a zone; add zone to the mapping")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(str(zone)))
