"""A whole log, read by a mapping: documents in the order they are sent, every row counted."""

from dataclasses import dataclass, field
from pathlib import Path

from premium.replay.mapping import Mapping
from premium.replay.reader import LogReader, LogUnreadable, Refusal
from premium.replay.rows import Interpreter, Told
from shared.events import EVERYONE, AccountListed, Purchase, SupportRequest

__all__ = ["Log", "read_log"]

_REFUSALS_SHOWN_MAX = 20


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
    refusals: list[str] = field(default_factory=list)

    def refuse(self, refusal: Refusal) -> None:
        """Count a bad row, and remember the first few in full."""
        self.refused += 1
        if len(self.refusals) < _REFUSALS_SHOWN_MAX:
            column = f"column {refusal.column!r}: " if refusal.column else ""
            self.refusals.append(f"{self.file.name}:{refusal.line}: {column}{refusal.reason}")

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


def read_log(file: Path, mapping: Mapping, *, tickets_max: int | None = None) -> Log:
    """Read a log, or its first ``tickets_max`` tickets.

    Raises Refused when the mapping asks for a column that the log lacks, LogUnreadable
    when the file is damaged or tells nothing.
    """
    log = Log(file)
    reader = LogReader(file, mapping.log)
    interpreter = Interpreter(mapping, tickets_max=tickets_max)
    for row in reader.rows():
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
    mapping.check_columns(reader.columns)
    if not log.told:
        first = f"; the first row refused: {log.refusals[0]}" if log.refusals else ""
        raise LogUnreadable(f"{file} tells nothing by this mapping{first}")
    log.told.sort(key=lambda told: told.at)
    return log
