"""A whole log, read by a mapping: its documents in order of sending, and counts of all rows."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.replay.mapping import Mapping
from lab.replay.reader import LogReader, LogUnreadable, Refusal, Row
from lab.replay.rows import Interpreter, LogDocument
from shared.events import EVERYONE, AccountListed, Purchase, SupportRequest

__all__ = ["Log", "read_log"]


@dataclass(slots=True)
class Log:
    """The content of a log. ``rows_left_out`` counts rows of tickets beyond the wanted number."""

    file: Path
    documents: list[LogDocument] = field(default_factory=list)
    rows: int = 0
    rows_with_documents: int = 0
    rows_without_documents: int = 0
    rows_left_out: int = 0
    refused: int = 0
    _faults: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, refusal: Refusal) -> None:
        """Count a bad row, together with others of the same fault."""
        self.refused += 1
        column = f"column {refusal.column!r}: " if refusal.column else ""
        self._faults.setdefault(f"{column}{refusal.reason}", []).append(refusal.line)

    @property
    def refusals(self) -> list[str]:
        """Each fault once, with its first row and the number of further rows."""
        return [
            f"{self.file.name}:{lines[0]}: {fault}" + _and_more(len(lines) - 1)
            for fault, lines in self._faults.items()
        ]

    @property
    def counted(self) -> str:
        """The counts of the rows, as text."""
        return (
            f"{self.rows:,} rows: {self.rows_with_documents:,} with documents,"
            f" {self.rows_without_documents:,} without,"
            f" {self.refused:,} refused, {self.rows_left_out:,} left out"
        )

    @property
    def sent(self) -> dict[str, int]:
        """The number of documents by kind."""
        return dict(sorted(Counter(one.kind for one in self.documents).items()))

    def accounts(self) -> list[AccountListed]:
        """Return the accounts of all requests, so that every requester is entitled at any time."""
        requests = [t.document for t in self.documents if isinstance(t.document, SupportRequest)]
        admins: dict[str, set[str]] = {request.account_id: set() for request in requests}
        for request in requests:
            if request.role == "super_admin":
                admins[request.account_id].add(request.requester_id)
        bought = Purchase(
            since=min((r.occurred_at for r in requests), default=self.documents[0].at)
        )
        return [
            AccountListed(
                account_id=account_id,
                purchases=(bought,),
                super_admins=frozenset(people),
                seats=EVERYONE,
            )
            for account_id, people in admins.items()
        ]


def _and_more(count: int) -> str:
    return f" (and {count:,} rows more)" if count else ""


def read_log(
    file: Path, mapping: Mapping, *, tickets_max: int | None = None, sort: bool = False
) -> Log:
    """Read a log, or its first ``tickets_max`` tickets; with ``sort``, rows in order of time.

    Raises Refused when the mapping has faults, or asks for columns that the log lacks, and
    LogUnreadable when the file is damaged or leads to no document.
    """
    log = Log(file)
    reader = LogReader(file, mapping.log, {column for _, column in mapping.columns})
    interpreter = Interpreter(mapping, tickets_max=tickets_max)
    for row in _sorted(reader, interpreter) if sort else reader.rows():
        log.rows += 1
        documents = row if isinstance(row, Refusal) else interpreter.interpret(row)
        match documents:
            case Refusal():
                log.refuse(documents)
            case None:
                log.rows_left_out += 1
            case []:
                log.rows_without_documents += 1
            case _:
                log.rows_with_documents += 1
                log.documents += documents
    mapping.check(reader.columns)
    if not log.documents:
        first = f"; the first row refused: {log.refusals[0]}" if log.refusals else ""
        raise LogUnreadable(f"{file} leads to no document by this mapping{first}")
    log.documents.sort(key=lambda one: one.at)
    return log


def _sorted(reader: LogReader, interpreter: Interpreter) -> list[Row | Refusal]:
    """Sort rows by time, bad rows first; rows of one time, and bad rows, keep the file's order."""
    begins = datetime.min.replace(tzinfo=UTC)

    def written_at(row: Row | Refusal) -> datetime:
        return (interpreter.time_of(row) if isinstance(row, Row) else None) or begins

    return sorted(reader.rows(), key=written_at)
