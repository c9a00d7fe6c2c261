"""Turns the rows of a log into the documents that upstream would have sent, by a mapping.

Pure: rows in, documents out. A row that is older than its ticket's row before it is refused.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from lab.replay.mapping import Fact, Mapping, Template
from lab.replay.reader import Refusal, Row
from shared.events import INBOUND, Inbound, LaterFact

__all__ = ["Interpreter", "LogDocument"]

_MIN_DISTANCE = timedelta(microseconds=1)
"""The distance between facts of one ticket with the same logged time, which keeps their order: the
smallest that the services distinguish, and too small to matter for due times."""


@dataclass(frozen=True, slots=True)
class LogDocument:
    """A document, with the time and the line of its row."""

    at: datetime
    line: int
    document: Inbound

    @property
    def kind(self) -> str:
        """``request``, or the type of the fact."""
        return self.document.type if isinstance(self.document, LaterFact) else "request"


@dataclass(slots=True)
class _Ticket:
    """A ticket's state after its rows so far; ``done`` has the keys of its facts."""

    created: datetime
    written_at: datetime
    was: dict[str, str] = field(default_factory=dict)
    done: set[tuple[int, datetime | None]] = field(default_factory=set)
    taken: set[datetime] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _MatchedFact:
    """A fact of a row: the number of its rule, and its time."""

    rule: int
    fact: Fact
    at: datetime

    @property
    def key(self) -> tuple[int, datetime | None]:
        """Identifies the fact: its rule, and its time if the rule has ``at`` and not ``once``."""
        return self.rule, None if self.fact.once or self.fact.at is None else self.at


class _BadCell(Exception):  # noqa: N818 - private; becomes a Refusal
    def __init__(self, column: str, reason: str) -> None:
        self.column = column
        self.reason = reason


@lru_cache(maxsize=4096)
def _instant(text: str, form: str, zone: str | None) -> datetime:
    read = _parsed(text, form)
    if read.tzinfo is None:
        if zone is None:
            raise ValueError("has no zone; name one under `time` in the mapping")
        read = read.replace(tzinfo=ZoneInfo(zone))
    return read.astimezone(UTC)


def _parsed(text: str, form: str) -> datetime:
    if form == "iso":
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone


class Interpreter:
    """Reads rows by one mapping, and keeps the state of each ticket.

    With ``tickets_max``, rows of further tickets are left out.
    """

    def __init__(self, mapping: Mapping, *, tickets_max: int | None = None) -> None:
        self._mapping = mapping
        self._tickets_max = tickets_max
        self._watched = {name for fact in mapping.facts for _, name, _ in fact.conditions}
        self._tickets: dict[str, _Ticket] = {}

    def interpret(self, row: Row) -> list[LogDocument] | Refusal | None:
        """Return a row's documents, maybe none, or its refusal; None if its ticket is left out."""
        try:
            return self._documents_of(row)
        except _BadCell as e:
            return Refusal(row.line, e.column, e.reason)

    def time_of(self, row: Row) -> datetime | None:
        """Return the time of a row; None if it has none."""
        try:
            return self._moment(row, self._mapping.time.column)
        except _BadCell:
            return None

    def _documents_of(self, row: Row) -> list[LogDocument] | None:
        reference = self._cell(row, self._mapping.ticket)
        known = self._tickets.get(reference)
        if known is None and len(self._tickets) == self._tickets_max:
            return None
        at = self._moment(row, self._mapping.time.column)
        now = {name: self._value(row, name) for name in self._watched}
        documents = [] if known else [LogDocument(at, row.line, self._request(row, reference, at))]
        ticket = known or _Ticket(documents[0].document.occurred_at, at)
        self._refuse_back_in_time(ticket, at)
        matched = list(self._matched_facts(row, ticket, now, at))
        taken, facts = self._facts(row, reference, ticket, matched)
        documents += [
            LogDocument(max(at, each.at), row.line, fact)
            for each, fact in zip(matched, facts, strict=True)
        ]
        ticket.written_at = at
        ticket.was |= {name: value for name, value in now.items() if value is not None}
        ticket.done |= {each.key for each in matched}
        ticket.taken |= taken
        self._tickets[reference] = ticket
        return documents

    def _refuse_back_in_time(self, ticket: _Ticket, at: datetime) -> None:
        if at < ticket.created:
            reason = "lies before the ticket's create date; correct one of them"
        elif at < ticket.written_at:
            reason = "goes back behind the ticket's row before it; replay the log with --sort"
        else:
            return
        raise _BadCell(self._mapping.time.column, reason)

    def _matched_facts(
        self, row: Row, ticket: _Ticket, now: dict[str, str | None], at: datetime
    ) -> Iterator[_MatchedFact]:
        for rule, fact in enumerate(self._mapping.facts):
            if not _holds(fact, now, ticket.was) or (fact.at and fact.at not in row.cells):
                continue
            matched = _MatchedFact(rule, fact, self._moment(row, fact.at) if fact.at else at)
            if (fact.once or fact.at) and matched.key in ticket.done:
                continue
            if fact.at and matched.at < ticket.created:
                raise _BadCell(fact.at, "lies before the ticket's create date; correct one of them")
            yield matched

    def _request(self, row: Row, reference: str, at: datetime) -> Inbound:
        request = self._mapping.request
        attributes = {
            name: self._text(row, template) for name, template in request.templates.items()
        }
        return self._checked(
            {
                "source": self._mapping.source,
                "external_id": reference,
                **attributes,
                "occurred_at": self._moment(row, request.occurred_at)
                if request.occurred_at
                else at,
            }
        )

    def _facts(
        self, row: Row, reference: str, ticket: _Ticket, matched: list[_MatchedFact]
    ) -> tuple[set[datetime], list[Inbound]]:
        """Make the facts of a row, each with a time that no other fact of the ticket has."""
        taken = {ticket.created}
        named: Counter[str] = Counter()
        facts = []
        for each in matched:
            at, name = each.at, f"{row.line}/{each.fact.fact}"
            while at in taken or at in ticket.taken:
                at += _MIN_DISTANCE
            taken.add(at)
            named[name] += 1
            facts.append(
                self._checked(
                    {
                        "type": each.fact.fact,
                        "source": self._mapping.source,
                        "external_id": reference,
                        "event_id": name if named[name] == 1 else f"{name}/{named[name]}",
                        "occurred_at": at,
                        "severity": each.fact.severity,
                        "waiting_for": each.fact.waiting_for,
                    }
                )
            )
        return taken, facts

    def _checked(self, document: dict[str, object]) -> Inbound:
        try:
            return INBOUND.validate_python(document)
        except ValidationError as e:
            fault = e.errors(include_url=False)[0]
            attribute = str(fault["loc"][-1])
            raise _BadCell(self._column_of(attribute), f"{attribute}: {fault['msg']}") from e

    def _column_of(self, attribute: str) -> str:
        """Return the columns from which an attribute of a document comes."""
        template = self._mapping.request.templates.get(attribute)
        if template is None:
            time = self._mapping.request.occurred_at or self._mapping.time.column
            return time if attribute == "occurred_at" else self._mapping.ticket
        fields = self._mapping.fields
        return ", ".join(fields[n].column if n in fields else n for n in template.names)

    def _cell(self, row: Row, column: str) -> str:
        cell = row.cells.get(column)
        if cell is None:
            raise _BadCell(column, "holds no value")
        return cell

    def _moment(self, row: Row, column: str) -> datetime:
        time = self._mapping.time
        cell = self._cell(row, column)
        try:
            return _instant(cell, time.format, time.zone)
        except (ValueError, OverflowError) as e:
            reason = f"{cell!r} is not a time in the format {time.format}"
            raise _BadCell(column, f"{reason}: {e}") from e

    def _value(self, row: Row, name: str) -> str | None:
        value = self._mapping.fields.get(name)
        if value is None:
            return row.cells.get(name)
        cell = row.cells.get(value.column)
        if value.values is None:
            return value.default if cell is None else cell
        found = value.values.get(cell, value.default) if cell is not None else value.default
        if found is None and cell is not None:
            raise _BadCell(value.column, f"{cell!r} is not in the table of {name}; add it there")
        return found or None

    def _text(self, row: Row, template: Template) -> str:
        written = ""
        for text, name in template.parts:
            written += text
            if name is not None:
                value = self._value(row, name)
                if value is None:
                    raise _BadCell(name, "holds no value; a field may give it a default")
                written += value
        return written


def _holds(fact: Fact, now: dict[str, str | None], was: dict[str, str]) -> bool:
    return (
        all(now.get(name) in values for name, values in fact.is_.items())
        and all(was.get(name) in values for name, values in fact.was.items())
        and not any(was.get(name) in values for name, values in fact.was_not.items())
    )
