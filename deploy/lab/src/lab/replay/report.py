"""The report of a replay, as a table and as JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich.table import Table

from lab.proof.published import PublishedFacts
from lab.proof.tables import DatabaseState
from lab.proof.verdict import Verdict
from lab.replay.log import Log
from shared.events import TicketAccepted

__all__ = ["Claims", "Found", "Memory", "Pace", "Report", "Rows", "listed", "report_on"]

_SHOWN_MAX = 20


class Rows(BaseModel):
    """Counts of the log's rows: ``read`` is the sum of the other four."""

    read: int
    with_documents: int
    without_documents: int
    refused: int
    left_out: int
    refusals: list[str]


class Found(BaseModel):
    """The number of faults, and the texts of the first 20."""

    count: int
    first: list[str]


class Claims(BaseModel):
    """Requests that claimed to be business-critical, and those of them accepted as standard."""

    made: int
    started_as_standard: int


class Pace(BaseModel):
    """Throughput: events are rows of the log, documents what was sent."""

    seconds: float
    events_per_s: float
    documents_per_s: float
    facts_per_s: float


class Memory(BaseModel):
    """Resident memory of one service in MiB, with samples every two seconds."""

    max_mib: float
    samples_mib: list[float]


class Report(BaseModel):
    """The whole report."""

    log: str
    mapping: str
    speed: float
    rows: Rows
    sent: dict[str, int]
    tickets: int
    claims: Claims
    published: dict[str, int]
    repeated_records: dict[str, int]
    dead_letters: dict[str, int]
    clocks: dict[str, int]
    tickets_waiting: int
    deliveries: dict[str, int]
    lost: Found
    doubled: Found
    pace: Pace
    memory: dict[str, Memory]
    facts_digest: str
    state_digests: dict[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.lost.count == self.doubled.count == 0

    def table(self) -> Table:
        """Return the report as a table."""
        table = Table(title=f"{self.log} by {self.mapping}", show_header=False, title_style="bold")
        table.add_column(style="dim")
        table.add_column()
        rows = self.rows
        table.add_row(
            "rows",
            f"{rows.read:,}: {rows.with_documents:,} with documents,"
            f" {rows.without_documents:,} without,"
            f" {rows.refused:,} refused, {rows.left_out:,} left out",
        )
        table.add_row("sent", listed(self.sent))
        table.add_row("tickets", f"{self.tickets:,}, {self.tickets_waiting:,} without a specialist")
        table.add_row(
            "business-critical",
            f"{self.claims.made:,} claimed, {self.claims.started_as_standard:,} of them started as"
            " standard (their receipts say what was missing)",
        )
        table.add_row("published", listed(self.published))
        table.add_row("clocks", listed(self.clocks))
        table.add_row("mails", listed(self.deliveries))
        table.add_row("dead letters", listed(self.dead_letters))
        table.add_row("repeated records", listed(self.repeated_records))
        table.add_row("lost", f"{self.lost.count:,}")
        table.add_row("doubled", f"{self.doubled.count:,}")
        table.add_row(
            "pace",
            f"{self.pace.events_per_s:,.0f} events/s, {self.pace.documents_per_s:,.0f} documents/s,"
            f" {self.pace.facts_per_s:,.0f} facts/s over {self.pace.seconds:,.1f} s",
        )
        memory = {name: round(each.max_mib) for name, each in self.memory.items()}
        table.add_row("memory at most, MiB", listed(memory))
        table.add_row("digest of the facts", self.facts_digest)
        for line in (*rows.refusals, *self.lost.first, *self.doubled.first):
            table.add_row("", line)
        return table


def report_on(  # noqa: PLR0913 - the parts of the report
    log: Log,
    published: PublishedFacts,
    state: DatabaseState,
    verdict: Verdict,
    *,
    mapping: str,
    speed: float,
    seconds: float,
    memory: dict[str, Memory],
    state_digests: dict[str, str],
) -> Report:
    """Make the report."""
    return Report(
        log=log.file.name,
        mapping=mapping,
        speed=speed,
        rows=Rows(
            read=log.rows,
            with_documents=log.rows_with_documents,
            without_documents=log.rows_without_documents,
            refused=log.refused,
            left_out=log.rows_left_out,
            refusals=log.refusals[:_SHOWN_MAX],
        ),
        sent=log.sent,
        tickets=len(state.tickets),
        claims=_claims(published),
        published=_counted(fact.type for fact in published.facts.values()),
        repeated_records=dict(published.repeats),
        dead_letters=dict(published.dead_letters),
        clocks=_counted(f"{c.state}, {c.broken}" if c.broken else c.state for c in state.clocks),
        tickets_waiting=sum(ticket.waiting for ticket in state.routed),
        deliveries=_counted(state.deliveries.values()),
        lost=_found(verdict.lost),
        doubled=_found(verdict.doubled),
        pace=Pace(
            seconds=seconds,
            events_per_s=(log.rows - log.rows_left_out) / seconds,
            documents_per_s=len(log.documents) / seconds,
            facts_per_s=len(published.facts) / seconds,
        ),
        memory=memory,
        facts_digest=published.digest,
        state_digests=state_digests,
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _claims(published: PublishedFacts) -> Claims:
    accepted = [fact.about for fact in published.of_type(TicketAccepted.type)]
    made = [about for about in accepted if about["claimed_severity"] == "business_critical"]
    standard = sum(about["severity"] == "standard" for about in made)
    return Claims(made=len(made), started_as_standard=standard)


def _found(lines: Sequence[str]) -> Found:
    return Found(count=len(lines), first=list(lines[:_SHOWN_MAX]))


def listed(counts: dict[str, int]) -> str:
    """Format counts in a line."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
