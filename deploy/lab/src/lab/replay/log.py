"""A whole log, read by a mapping: documents in the order they are sent, every row counted."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.replay.mapping import Mapping
from lab.replay.reader import LogReader, LogUnreadable, Refusal, Row
from lab.replay.rows import Interpreter, Told
from shared.events import EVERYONE, AccountListed, Purchase, SupportRequest

__all__ = ["Log", "read_log"]


@dataclass(slots=True)
class Log:
    """What a log holds. Rows beyond the wanted tickets are ``rows_left_out``."""

    file: Path
    told: list[Told] = field(default_factory=list)
    rows: int = 0
    rows_telling: int = 0
    rows_no_news: int = 0
    rows_left_out: int = 0
    refused: int = 0
    _faults: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, refusal: Refusal) -> None:
        """Count a bad row, with others of the same fault."""
        self.refused += 1
        column = f"column {refusal.column!r}: " if refusal.column else ""
        self._faults.setdefault(f"{column}{refusal.reason}", []).append(refusal.line)

    @property
    def refusals(self) -> list[str]:
        """Name each fault once, with the first row that has it and how many more do."""
        return [
            f"{self.file.name}:{lines[0]}: {fault}" + _and_more(len(lines) - 1)
            for fault, lines in self._faults.items()
        ]

    @property
    def counted(self) -> str:
        """Say what became of the rows."""
        return (
            f"{self.rows:,} rows: {self.rows_telling:,} told, {self.rows_no_news:,} no news,"
            f" {self.refused:,} refused, {self.rows_left_out:,} left out"
        )

    @property
    def sent(self) -> dict[str, int]:
        """Count what is told, by kind."""
        return dict(sorted(Counter(told.kind for told in self.told).items()))

    def accounts(self) -> list[AccountListed]:
        """List everybody who asks, as whom the log has it, with a purchase without end."""
        asked = [t.document for t in self.told if isinstance(t.document, SupportRequest)]
        admins: dict[str, set[str]] = {request.account_id: set() for request in asked}
        for request in asked:
            if request.role == "super_admin":
                admins[request.account_id].add(request.requester_id)
        bought = Purchase(since=min((r.occurred_at for r in asked), default=self.told[0].at))
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
    """Read a log, or its first ``tickets_max`` tickets; with ``sort``, by the time of its rows.

    Raises Refused when the mapping has faults, or asks for columns that the log lacks, and
    LogUnreadable when the file is damaged or tells nothing.
    """
    log = Log(file)
    reader = LogReader(file, mapping.log, {column for _, column in mapping.columns})
    interpreter = Interpreter(mapping, tickets_max=tickets_max)
    for row in _sorted(reader, interpreter) if sort else reader.rows():
        log.rows += 1
        told = row if isinstance(row, Refusal) else interpreter.tell(row)
        match told:
            case Refusal():
                log.refuse(told)
            case None:
                log.rows_left_out += 1
            case []:
                log.rows_no_news += 1
            case _:
                log.rows_telling += 1
                log.told += told
    mapping.check(reader.columns)
    if not log.told:
        first = f"; the first row refused: {log.refusals[0]}" if log.refusals else ""
        raise LogUnreadable(f"{file} tells nothing by this mapping{first}")
    log.told.sort(key=lambda told: told.at)
    return log


def _sorted(reader: LogReader, interpreter: Interpreter) -> list[Row | Refusal]:
    """Put rows in the order of their times; those of one time, and bad ones, keep the file's."""
    begins = datetime.min.replace(tzinfo=UTC)

    def written_at(row: Row | Refusal) -> datetime:
        return (interpreter.moment_of(row) if isinstance(row, Row) else None) or begins

    return sorted(reader.rows(), key=written_at)
