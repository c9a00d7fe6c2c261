"""The engine's paused time on a real log, compared with the log's own rows."""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from intake.domain import Entitled, NumberKeys, accept, event_of
from lab.replay.log import Log, read_log
from lab.replay.mapping import find_mapping, load
from shared.events import Envelope, Event, Inbound, LanguageDecision, LaterFact, ticket_id_of
from shared.sla.policies import default_policy
from shared.sla.promises import CAUSES, Cause, Promise
from shared.testing.builders import an_account
from sla_monitor.domain import Clock, breakdown, derive

FILE: Final = (
    Path(os.environ.get("PREMIUM_DATA", Path(__file__).parents[4] / "shared" / "data"))
    / "volvo_incidents.csv.gz"
)
TICKETS: Final = 7554
WAITS: Final[dict[str, Cause]] = {
    "Wait - User": "customer",
    "Wait - Customer": "customer",
    "Wait - Vendor": "vendor",
    "Wait - Implementation": "other",
    "Wait": "other",
}
SOLVED: Final = {"Resolved", "In Call"}
OVER: Final = {"Closed", "Cancelled"}

type Row = tuple[datetime, str]


@pytest.fixture(scope="module")
def log() -> Log:
    """Read the log by the shipped mapping."""
    return read_log(FILE, load(find_mapping("volvo")))


@pytest.fixture(scope="module")
def rows() -> dict[UUID, list[Row]]:
    """Read the log as csv only: when each ticket entered which sub status."""
    read = defaultdict(list)
    with gzip.open(FILE, "rt", encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["Change Date+Time"])
            read[ticket_id_of("volvo", row["SR Number"])].append((at, row["Sub Status"]))
    return read


@pytest.mark.parametrize("pause_on", [CAUSES, ("customer",), ("vendor", "other"), ()])
def test_paused_time_is_that_of_the_log(
    log: Log, rows: dict[UUID, list[Row]], pause_on: tuple[Cause, ...]
) -> None:
    """Each ticket's paused time up to its resolution is the sum of its waits in the file."""
    paused = {
        clock.ticket_id: paused_s(clock, until=rows[clock.ticket_id][-1][0])
        for clock in timed(log, pause_on)
    }
    counted = {ticket_id: waited_s(of, pause_on) for ticket_id, of in rows.items()}
    assert len(paused) == TICKETS
    assert {t: (s, counted[t]) for t, s in paused.items() if s != counted[t]} == {}
    assert sum(paused.values()) > 0


def timed(log: Log, pause_on: tuple[Cause, ...]) -> Iterator[Clock]:
    """Return the resolution clock of each ticket, in wall time."""
    facts = defaultdict(list)
    for one in log.documents:
        facts[one.document.ticket_id].append(fact(one.document, pause_on))
    for of in facts.values():
        yield from derive(of)


def fact(document: Inbound, pause_on: tuple[Cause, ...]) -> Envelope[Event]:
    """Convert a document as intake does, but with a promised resolution."""
    event: Event
    if isinstance(document, LaterFact):
        event = event_of(document)
    else:
        account = an_account()
        entitled = Entitled(account, "super_admin", account.purchases[0])
        language = LanguageDecision(language="en", by="sender")
        at = document.occurred_at
        keys = NumberKeys("")
        accepted = accept(document, entitled, language, default_policy(), now=at, keys=keys).event
        promises = (solution(pause_on),)
        prices = dict.fromkeys(accepted.if_reclassified, promises)
        event = accepted.model_copy(update={"promises": promises, "if_reclassified": prices})
    return Envelope(document.document_id, "intake", document.occurred_at, event)


def solution(pause_on: tuple[Cause, ...]) -> Promise:
    """Make the promise of a resolution within a month."""
    return Promise(
        kind="resolution",
        promise_class="objective",
        target_s=30 * 24 * 3600,
        calendar="always",
        time_zone="UTC",
        due_at=None,
        rule="",
        pause_on=pause_on,
    )


def paused_s(clock: Clock, *, until: datetime) -> int:
    """Return the engine's paused time. Facts of one second lie milliseconds apart."""
    parts_ms = breakdown(clock, clock.settled_at or until).parts_ms
    return round(parts_ms.get("paused", 0) / 1000)


def waited_s(of: Sequence[Row], pause_on: Sequence[Cause]) -> int:
    """Sum up the rows that wait, or are resolved, until the final resolution or closing."""
    until = over_at(of)
    waited = timedelta(0)
    for (since, status), (next_at, _) in pairwise([*of, of[-1]]):
        if status in SOLVED | OVER or WAITS.get(status) in pause_on:
            waited += max(min(next_at, until) - since, timedelta(0))
    return round(waited.total_seconds())


def over_at(of: Sequence[Row]) -> datetime:
    """Return the first resolution, or else closing, among the last rows of this kind."""
    last: list[Row] = []
    for row in of:
        last = [*last, row] if row[1] in SOLVED | OVER else []
    solved = [at for at, status in last if status in SOLVED]
    return next(iter([*solved, *(at for at, _ in last)]), of[-1][0])
