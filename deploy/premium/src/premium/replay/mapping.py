"""The mapping as data: which column means what, and which row tells which fact.

A mapping is refused whole, with the place of the fault, before a single row is read by it. Names
in templates and conditions are fields of the mapping or, failing that, columns of the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from shared.events import LaterFact, SupportRequest
from shared.events.requests import FactType
from shared.places import (
    KeyPath,
    Place,
    Refused,
    YamlDocument,
    did_you_mean,
    keys_at,
    read_yaml,
    what_is_wrong,
)

__all__ = ["Fact", "LogForm", "LogTime", "Mapping", "Template", "Value", "find_mapping", "load"]

_SHIPPED = Path(str(files("premium.replay") / "mappings"))


@dataclass(frozen=True, slots=True)
class Template:
    """Text with names in braces, as (text, name) pairs; the last pair may lack its name."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> list[str]:
        """The fields and columns it needs."""
        return [name for _, name in self.parts if name is not None]

    @property
    def sole_name(self) -> str | None:
        """The name, when the template is nothing else."""
        alone = len(self.parts) == 1 and not self.parts[0][0]
        return self.parts[0][1] if alone else None


def _template(text: object) -> Template:
    parts = []
    for literal, name, form, conversion in Formatter().parse(str(text)):
        if name == "" or form or conversion:
            raise ValueError("braces hold the name of a column or field, and nothing else")
        parts.append((literal, name))
    return Template(tuple(parts))


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        near = get_close_matches(name, available_timezones(), n=1, cutoff=0.0)
        raise ValueError(f"no IANA time zone; did you mean {near[0]!r}?")
    return name


def _one_character(text: str) -> str:
    if len(text) != 1:
        raise ValueError('is one character, such as "," or "\\t"')
    return text


type Text = Annotated[Template, BeforeValidator(_template)]
type Condition = dict[str, Annotated[frozenset[str], BeforeValidator(_several)]]
"""Names, each with the values that satisfy it; all must be satisfied."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class LogForm(_Part):
    """How the file is written. An empty cell and the marks in ``missing`` hold no value."""

    format: Literal["csv", "jsonl"]
    delimiter: Annotated[str, AfterValidator(_one_character)] = ","
    missing: frozenset[str] = frozenset()


class LogTime(_Part):
    """The column that says when a row was written; ``format`` is iso or strptime's."""

    column: str
    format: str
    zone: Annotated[str, AfterValidator(_known_zone)] | None = None


class Value(_Part):
    """A column under a name of ours, translated by a table.

    ``default`` stands in for what is missing or not in the table; without one, what is missing
    stays missing and a value outside the table refuses its row.
    """

    column: str
    values: dict[str, str] | None = None
    default: str | None = None

    @property
    def outcomes(self) -> list[str] | None:
        """Everything it can say, when a table limits it."""
        if self.values is None:
            return None
        return [*self.values.values(), *([self.default] if self.default is not None else [])]


class Request(_Part):
    """The first row of a ticket, as a support request. ``occurred_at`` names a column."""

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
        """The attributes that are written from a row."""
        return {name: value for name, value in self if isinstance(value, Template)}


class Fact(_Part):
    """A row that satisfies ``is``, after one that satisfies ``was`` and not ``was_not``.

    On the first row of a ticket nothing was. ``once`` tells the first such row of a ticket only.
    """

    fact: FactType
    is_: Condition = Field(alias="is", min_length=1)
    was: Condition = {}
    was_not: Condition = {}
    once: bool = False
    severity: str | None = None
    waiting_for: str | None = None

    @property
    def conditions(self) -> Iterator[tuple[str, str, frozenset[str]]]:
        """Each condition: the clause, the name it asks for, the values it takes."""
        for clause, condition in (("is", self.is_), ("was", self.was), ("was_not", self.was_not)):
            for name, values in condition.items():
                yield clause, name, values


class Mapping(_Part):
    """Everything needed to read one log."""

    log: LogForm
    source: str
    ticket: str
    time: LogTime
    fields: dict[str, Value] = {}
    request: Request
    facts: tuple[Fact, ...]

    _document: YamlDocument = PrivateAttr()

    @property
    def names(self) -> Iterator[tuple[KeyPath, str]]:
        """Each use of a field or column by name, with its place in the mapping."""
        for attribute, template in self.request.templates.items():
            for name in template.names:
                yield ("request", attribute), name
        for index, fact in enumerate(self.facts):
            for clause, name, _ in fact.conditions:
                yield ("facts", index, clause, name), name

    @property
    def columns(self) -> Iterator[tuple[KeyPath, str]]:
        """Each column that is asked for, with its place in the mapping."""
        yield ("ticket",), self.ticket
        yield ("time", "column"), self.time.column
        if self.request.occurred_at is not None:
            yield ("request", "occurred_at"), self.request.occurred_at
        for name, value in self.fields.items():
            yield ("fields", name, "column"), value.column
        for path, name in self.names:
            if name not in self.fields:
                yield path, name

    def check_columns(self, known: set[str]) -> None:
        """Refuse the mapping when it asks for a column that the log does not have."""
        for path, column in self.columns:
            if column not in known:
                hint = did_you_mean(column, [*known, *self.fields])
                self.refuse(path, f"the log has no column {column!r}; {hint}")

    def refuse(self, path: KeyPath, fault: str) -> None:
        """Raise Refused with the place of ``path``."""
        raise Refused((self._document.place_of(path), fault))

    def placed(self, document: YamlDocument) -> "Mapping":
        """Remember where each part was typed."""
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
"""A request without fault, to try single attributes in."""


def find_mapping(name: str) -> Path:
    """Find one of our mappings by its name, or any by its path; raises Refused."""
    shipped = {file.stem: file for file in _SHIPPED.glob("*.yaml")}
    file = shipped.get(name, Path(name))
    if not file.is_file():
        hint = did_you_mean(name, list(shipped))
        raise Refused((Place(name, 1, 1), f"no such file, nor a mapping of ours; {hint}"))
    return file


def load(file: Path) -> Mapping:
    """Read and check a mapping; raises Refused at the first fault."""
    document = read_yaml(file)
    try:
        mapping = Mapping.model_validate(document.content).placed(document)
    except ValidationError as e:
        # A key that is misspelt is also one that is missing: the first tells more.
        fault = min(e.errors(include_url=False), key=lambda fault: fault["type"] == "missing")
        path = _path_of(fault["loc"])
        raise Refused((document.place_of(path), _describe(fault, path))) from e
    _check_conditions(mapping)
    _check_request(mapping)
    _check_facts(mapping)
    return mapping


def _path_of(loc: KeyPath) -> KeyPath:
    """Leave out what pydantic adds to a place: the arm of a union, the key of a table."""
    return tuple(part for part in loc if part != "[key]")


def _describe(fault: Any, path: KeyPath) -> str:  # noqa: ANN401 - pydantic's own record
    key = str(path[-1]) if path else "the mapping"
    told = what_is_wrong({**fault, "loc": path}, keys_at(Mapping, path))
    match fault["type"]:
        case "extra_forbidden" | "missing":
            return told
        case "literal_error":
            return f"{key} {told}"
        case _:
            return f"{key}: {told}"


def _check_conditions(mapping: Mapping) -> None:
    """Refuse a value that its table never gives: the fact would never be told."""
    for index, fact in enumerate(mapping.facts):
        for clause, name, values in fact.conditions:
            outcomes = mapping.fields[name].outcomes if name in mapping.fields else None
            for value in sorted(values - set(outcomes or values)):
                fault = f"{name} is never {value!r}; {did_you_mean(value, list(outcomes or []))}"
                mapping.refuse(("facts", index, clause, name), fault)


def _check_request(mapping: Mapping) -> None:
    """Try what a constant or a table will say on the request's own rules."""
    for attribute, template in mapping.request.templates.items():
        for path, text in _constants(mapping, attribute, template):
            try:
                SupportRequest.model_validate(_SAMPLE | {attribute: text})
            except ValidationError as e:
                fault = e.errors(include_url=False)[0]
                mapping.refuse(path, _describe({**fault, "input": text}, (attribute,)))


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
            yield ("fields", template.sole_name, "values", raw), text


def _check_facts(mapping: Mapping) -> None:
    """Try each fact's constants on the rules of a later fact."""
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
            mapping.refuse(
                ("facts", index, *fault["loc"]), _describe(fault, fault["loc"] or (fact.fact,))
            )
