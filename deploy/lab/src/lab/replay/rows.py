"""Turns the rows of a log into the documents that upstream would have sent, by a mapping.

Pure: rows in, documents out. Rows of one ticket must come in the order they were written: one that
goes back in time is refused.
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

__all__ = ["Interpreter", "Told"]

_TIE = timedelta(microseconds=1)
"""Facts of one ticket at one logged instant keep the file's order by this much of distance: the
least that the services tell apart, and too little to show in a due time."""


@dataclass(frozen=True, slots=True)
class Told:
    """A document, and when and in which line the log tells it."""

    at: datetime
    line: int
    document: Inbound

    @property
    def kind(self) -> str:
        """Name what is told: a request, or which fact."""
        return self.document.type if isinstance(self.document, LaterFact) else "request"


@dataclass(slots=True)
class _Ticket:
    """What a ticket's rows have said: ``told`` holds rules, those with ``at`` by their instant."""

    created: datetime
    written_at: datetime
    was: dict[str, str] = field(default_factory=dict)
    told: set[tuple[int, datetime | None]] = field(default_factory=set)
    taken: set[datetime] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Happened:
    """A fact that a row tells: by which rule, and at which instant."""

    rule: int
    fact: Fact
    at: datetime

    @property
    def told(self) -> tuple[int, datetime | None]:
        """By what it is known again."""
        return self.rule, None if self.fact.once or self.fact.at is None else self.at


class _Unfit(Exception):  # noqa: N818 - private; becomes a Refusal
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
    return datetime.strptime(text, form)  # noqa: DTZ007 - the caller sees to the zone


class Interpreter:
    """Reads rows by one mapping, remembering of each ticket what its rows said last.

    With ``tickets_max``, only the first so many tickets are told.
    """

    def __init__(self, mapping: Mapping, *, tickets_max: int | None = None) -> None:
        self._mapping = mapping
        self._tickets_max = tickets_max
        self._watched = {name for fact in mapping.facts for _, name, _ in fact.conditions}
        self._tickets: dict[str, _Ticket] = {}

    def tell(self, row: Row) -> list[Told] | Refusal | None:
        """Say what a row tells: no news is an empty list, a ticket too many None."""
        try:
            return self._tell(row)
        except _Unfit as e:
            return Refusal(row.line, e.column, e.reason)

    def moment_of(self, row: Row) -> datetime | None:
        """Say when a row was written; None where it does not say."""
        try:
            return self._moment(row, self._mapping.time.column)
        except _Unfit:
            return None

    def _tell(self, row: Row) -> list[Told] | None:
        reference = self._cell(row, self._mapping.ticket)
        known = self._tickets.get(reference)
        if known is None and len(self._tickets) == self._tickets_max:
            return None
        at = self._moment(row, self._mapping.time.column)
        now = {name: self._value(row, name) for name in self._watched}
        told = [] if known else [Told(at, row.line, self._request(row, reference, at))]
        ticket = known or _Ticket(told[0].document.occurred_at, at)
        self._refuse_back_in_time(ticket, at)
        happened = list(self._happened(row, ticket, now, at))
        taken, facts = self._facts(row, reference, ticket, happened)
        told += [
            Told(max(at, each.at), row.line, fact)
            for each, fact in zip(happened, facts, strict=True)
        ]
        ticket.written_at = at
        ticket.was |= {name: value for name, value in now.items() if value is not None}
        ticket.told |= {each.told for each in happened}
        ticket.taken |= taken
        self._tickets[reference] = ticket
        return told

    def _refuse_back_in_time(self, ticket: _Ticket, at: datetime) -> None:
        if at < ticket.created:
            reason = "lies before the ticket's create date; correct one of them"
        elif at < ticket.written_at:
            reason = "goes back behind the ticket's row before it; replay the log with --sort"
        else:
            return
        raise _Unfit(self._mapping.time.column, reason)

    def _happened(
        self, row: Row, ticket: _Ticket, now: dict[str, str | None], at: datetime
    ) -> Iterator[_Happened]:
        for rule, fact in enumerate(self._mapping.facts):
            if not _holds(fact, now, ticket.was) or (fact.at and fact.at not in row.cells):
                continue
            happened = _Happened(rule, fact, self._moment(row, fact.at) if fact.at else at)
            if (fact.once or fact.at) and happened.told in ticket.told:
                continue
            if fact.at and happened.at < ticket.created:
                raise _Unfit(fact.at, "lies before the ticket's create date; correct one of them")
            yield happened

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
        self, row: Row, reference: str, ticket: _Ticket, happened: list[_Happened]
    ) -> tuple[set[datetime], list[Inbound]]:
        """Write the facts of a row, each at an instant that no other fact of the ticket has."""
        taken = {ticket.created}
        named: Counter[str] = Counter()
        facts = []
        for each in happened:
            at, name = each.at, f"{row.line}/{each.fact.fact}"
            while at in taken or at in ticket.taken:
                at += _TIE
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
            raise _Unfit(self._column_of(attribute), f"{attribute}: {fault['msg']}") from e

    def _column_of(self, attribute: str) -> str:
        """Name the columns that an attribute of a document was made of."""
        template = self._mapping.request.templates.get(attribute)
        if template is None:
            time = self._mapping.request.occurred_at or self._mapping.time.column
            return time if attribute == "occurred_at" else self._mapping.ticket
        fields = self._mapping.fields
        return ", ".join(fields[n].column if n in fields else n for n in template.names)

    def _cell(self, row: Row, column: str) -> str:
        cell = row.cells.get(column)
        if cell is None:
            raise _Unfit(column, "holds no value")
        return cell

    def _moment(self, row: Row, column: str) -> datetime:
        time = self._mapping.time
        cell = self._cell(row, column)
        try:
            return _instant(cell, time.format, time.zone)
        except (ValueError, OverflowError) as e:
            reason = f"{cell!r} is no time in the format {time.format}"
            raise _Unfit(column, f"{reason}: {e}") from e

    def _value(self, row: Row, name: str) -> str | None:
        value = self._mapping.fields.get(name)
        if value is None:
            return row.cells.get(name)
        cell = row.cells.get(value.column)
        if value.values is None:
            return value.default if cell is None else cell
        found = value.values.get(cell, value.default) if cell is not None else value.default
        if found is None and cell is not None:
            raise _Unfit(value.column, f"{cell!r} is not in the table of {name}; add it there")
        return found or None

    def _text(self, row: Row, template: Template) -> str:
        written = ""
        for text, name in template.parts:
            written += text
            if name is not None:
                value = self._value(row, name)
                if value is None:
                    raise _Unfit(name, "holds no value; a field may give it a default")
                written += value
        return written


def _holds(fact: Fact, now: dict[str, str | None], was: dict[str, str]) -> bool:
    return (
        all(now.get(name) in values for name, values in fact.is_.items())
        and all(was.get(name) in values for name, values in fact.was.items())
        and not any(was.get(name) in values for name, values in fact.was_not.items())
    )
