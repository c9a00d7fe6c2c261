"""A mapping from a log to documents: what each column means, and which row leads to which fact.

A mapping with a fault is refused, with the place of the fault, before any document is sent. Names
in templates and conditions are fields of the mapping, or else columns of the log.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from shared.basics.yaml_source import (
    Fault,
    KeyPath,
    Place,
    Refused,
    YamlDocument,
    describe_error,
    did_you_mean,
    keys_at,
    read_yaml,
)
from shared.events import LaterFact, SupportRequest
from shared.events.requests import FactType
from shared.sla.calendars import known_zone

__all__ = [
    "Fact",
    "LogFormat",
    "LogTime",
    "Mapping",
    "Template",
    "Value",
    "find_mapping",
    "load",
    "parse",
]

_SHIPPED = Path(str(files("lab.replay") / "mappings"))


@dataclass(frozen=True, slots=True)
class Template:
    """Text with names in braces, as pairs (text, name); the last pair may have no name."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> list[str]:
        """The names of its fields and columns."""
        return [name for _, name in self.parts if name is not None]

    @property
    def sole_name(self) -> str | None:
        """The name, if the template consists of one name only."""
        is_name = len(self.parts) == 1 and not self.parts[0][0]
        return self.parts[0][1] if is_name else None


def _template(text: object) -> Template:
    parts = []
    for literal, name, form, conversion in Formatter().parse(str(text)):
        if name == "" or form or conversion:
            raise ValueError("braces hold the name of a column or field, and nothing else")
        parts.append((literal, name))
    return Template(tuple(parts))


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _one_character(text: str) -> str:
    if len(text) != 1:
        raise ValueError('is one character, such as "," or "\\t"')
    return text


type Text = Annotated[Template, BeforeValidator(_template)]
type Condition = dict[str, Annotated[frozenset[str], BeforeValidator(_several)]]
"""Names with the values that satisfy them; all must be satisfied."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class LogFormat(_Part):
    """The format of the file. An empty cell and the texts in ``missing`` count as no value."""

    format: Literal["csv", "jsonl"]
    delimiter: Annotated[str, AfterValidator(_one_character)] = ","
    missing: frozenset[str] = frozenset()


class LogTime(_Part):
    """The column with the time of a row; ``format`` is ``iso``, or a format of strptime."""

    column: str
    format: str
    zone: Annotated[str, AfterValidator(known_zone)] | None = None


class Value(_Part):
    """A named column, whose values may be translated by a table.

    ``default`` replaces missing values and values that are not in the table. Without a default, the
    former stay missing, and the latter cause their row to be refused. A value that the table
    translates to an empty text is missing, whatever the default.
    """

    column: str
    values: dict[str, str] | None = None
    default: str | None = None

    @property
    def outcomes(self) -> list[str] | None:
        """All possible values if a table limits them, else None."""
        if self.values is None:
            return None
        default = [] if self.default is None else [self.default]
        return [*filter(None, self.values.values()), *default]


class Request(_Part):
    """How the first row of a ticket becomes a request. ``occurred_at`` names a column."""

    account_id: Text
    requester_id: Text
    role: Text
    channel: Text
    severity: Text = Template((("standard", None),))
    language: Text
    time_zone: Text = Template((("UTC", None),))
    subject: Text
    body: Text = Template(())
    occurred_at: str | None = None

    @cached_property
    def templates(self) -> dict[str, Template]:
        """The attributes that come from a row."""
        return {name: value for name, value in self if isinstance(value, Template)}


class Fact(_Part):
    """A fact of each row that satisfies ``is``, if ``was`` held before it and ``was_not`` did not.

    The state before is that of the ticket's earlier rows; before the first row it is empty. ``at``
    names a column with the fact's own time: a row without that time has no such fact, and several
    rows with one time have one fact. With ``once``, only the first such row of a ticket counts.
    """

    fact: FactType
    is_: Condition = Field({}, alias="is")
    was: Condition = {}
    was_not: Condition = {}
    at: str | None = None
    once: bool = False
    severity: str | None = None
    waiting_for: str | None = None

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not self.is_ and self.at is None:
            raise ValueError("needs `is`, or a column in `at`: else every row has this fact")
        return self

    @property
    def conditions(self) -> Iterator[tuple[str, str, frozenset[str]]]:
        """Each condition: its clause (is, was, was_not), the name, and the values."""
        for clause, condition in (("is", self.is_), ("was", self.was), ("was_not", self.was_not)):
            for name, values in condition.items():
                yield clause, name, values


class Mapping(_Part):
    """A whole mapping."""

    log: LogFormat
    source: str
    ticket: str
    time: LogTime
    fields: dict[str, Value] = {}
    request: Request
    facts: tuple[Fact, ...]

    _document: YamlDocument = PrivateAttr()

    @property
    def names(self) -> Iterator[tuple[KeyPath, str]]:
        """Each use of a field or column, with its place in the mapping."""
        for attribute, template in self.request.templates.items():
            for name in template.names:
                yield ("request", attribute), name
        for index, fact in enumerate(self.facts):
            for clause, name, _ in fact.conditions:
                yield ("facts", index, clause, name), name

    @property
    def columns(self) -> Iterator[tuple[KeyPath, str]]:
        """Each column that the log must have, with the path of keys where the mapping names it."""
        yield ("ticket",), self.ticket
        yield ("time", "column"), self.time.column
        if self.request.occurred_at is not None:
            yield ("request", "occurred_at"), self.request.occurred_at
        for index, fact in enumerate(self.facts):
            if fact.at is not None:
                yield ("facts", index, "at"), fact.at
        for name, value in self.fields.items():
            yield ("fields", name, "column"), value.column
        for path, name in self.names:
            if name not in self.fields:
                yield path, name

    def check(self, columns: Collection[str] | None = None) -> None:
        """Refuse a mapping that contradicts itself, or needs a column that is not in ``columns``.

        Raises Refused with every fault that is found.
        """
        faults = [*_conditions(self), *_request(self), *_facts(self)]
        for path, column in self.columns:
            if columns is not None and column not in columns:
                hint = did_you_mean(column, [*columns, *self.fields])
                faults.append((path, f"the log has no column {column!r}; {hint}"))
        if faults:
            raise _refused(self._document, faults)

    def placed(self, document: YamlDocument) -> "Mapping":
        """Keep the places of all parts."""
        self._document = document
        return self


_SAMPLE = {
    "source": "sample",
    "external_id": "1",
    "account_id": "1",
    "requester_id": "1",
    "role": "seat",
    "channel": "email",
    "language": "en",
    "subject": "",
    "occurred_at": "2020-01-01T00:00:00Z",
}
"""A valid request, in which single attributes are tried."""


def find_mapping(name: str) -> Path:
    """Find a shipped mapping by its name, or any mapping by its path. Raises Refused."""
    shipped = {file.stem: file for file in _SHIPPED.glob("*.yaml")}
    file = shipped.get(name, Path(name))
    if not file.is_file():
        hint = did_you_mean(name, list(shipped))
        raise Refused((Place(name, 1, 1), f"no such file, nor a shipped mapping; {hint}"))
    return file


def load(file: Path) -> Mapping:
    """Read and check a mapping. Raises Refused with every fault that does not depend on a log."""
    mapping = parse(file)
    mapping.check()
    return mapping


def parse(file: Path) -> Mapping:
    """Read a mapping, without `Mapping.check`. Raises Refused if it is malformed."""
    document = read_yaml(file)
    try:
        return Mapping.model_validate(document.content).placed(document)
    except ValidationError as e:
        raise _refused(document, _malformed(e)) from e


def _refused(document: YamlDocument, faults: Iterable[Fault]) -> Refused:
    placed = {(document.place_of(path), text) for path, text in faults}
    return Refused(*sorted(placed, key=lambda fault: (fault[0].line, fault[0].column, fault[1])))


def _malformed(error: ValidationError) -> Iterator[Fault]:
    """Describe pydantic's errors; no missing key beside an unknown one, which may be misspelt."""
    found: list[Any] = error.errors(include_url=False)
    misspelt = {fault["loc"][:-1] for fault in found if fault["type"] == "extra_forbidden"}
    for fault in found:
        path = _path_of(fault["loc"])
        if fault["type"] != "missing" or fault["loc"][:-1] not in misspelt:
            yield path, _describe(fault, path)


def _path_of(loc: KeyPath) -> KeyPath:
    """Remove the parts that pydantic adds to a path."""
    return tuple(part for part in loc if part != "[key]")


def _describe(fault: Any, path: KeyPath) -> str:  # noqa: ANN401 - pydantic's own record
    key = str(path[-1]) if path else "the mapping"
    text = describe_error({**fault, "loc": path}, keys_at(Mapping, path))
    match fault["type"]:
        case "extra_forbidden" | "missing":
            return text
        case "literal_error":
            return f"{key} {text}"
        case _:
            return f"{key}: {text}"


def _conditions(mapping: Mapping) -> Iterator[Fault]:
    """Find values in conditions that their field never has, as its table shows."""
    for index, fact in enumerate(mapping.facts):
        for clause, name, values in fact.conditions:
            outcomes = mapping.fields[name].outcomes if name in mapping.fields else None
            for value in sorted(values - set(outcomes or values)):
                fault = f"{name} is never {value!r}; {did_you_mean(value, list(outcomes or []))}"
                yield ("facts", index, clause, name), fault


def _request(mapping: Mapping) -> Iterator[Fault]:
    """Validate the constants and table values of the request."""
    for attribute, template in mapping.request.templates.items():
        for path, text in _constants(mapping, attribute, template):
            try:
                SupportRequest.model_validate(_SAMPLE | {attribute: text})
            except ValidationError as e:
                fault = e.errors(include_url=False)[0]
                yield path, _describe({**fault, "input": text}, (attribute,))


def _constants(
    mapping: Mapping, attribute: str, template: Template
) -> Iterator[tuple[KeyPath, str]]:
    if not template.names:
        yield ("request", attribute), "".join(text for text, _ in template.parts)
    field = mapping.fields.get(template.sole_name or "")
    if field is not None and template.sole_name is not None:
        if field.default is not None:
            yield ("fields", template.sole_name, "default"), field.default
        for raw, text in (field.values or {}).items():
            if text:
                yield ("fields", template.sole_name, "values", raw), text


def _facts(mapping: Mapping) -> Iterator[Fault]:
    """Validate the constants of each fact."""
    for index, fact in enumerate(mapping.facts):
        sample = {
            "source": mapping.source,
            "external_id": "1",
            "type": fact.fact,
            "occurred_at": "2020-01-01T00:00:00Z",
            "severity": fact.severity,
            "waiting_for": fact.waiting_for,
        }
        try:
            LaterFact.model_validate(sample)
        except ValidationError as e:
            fault = e.errors(include_url=False)[0]
            path = ("facts", index, *fault["loc"])
            yield path, _describe(fault, fault["loc"] or (fact.fact,))
