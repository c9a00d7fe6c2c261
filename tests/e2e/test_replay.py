"""`premium replay` sends a log through the running stack, and verifies the result."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.business_time import BusinessTime
from devstack.databases import DATABASES
from devstack.stack import Stack
from lab.proof.tables import Tables
from lab.replay.report import Report

MAPPING = """\
log: {format: csv}
source: desk
ticket: id
time: {column: at, format: iso, zone: UTC}
fields:
  state: {column: status, values: {Open: new, Waits: asked, Works: works, Done: resolved}}
request: {account_id: "account {id}", requester_id: r, role: super_admin, channel: email,
          language: en, subject: s, severity: business_critical}
facts:
  - {fact: waiting, is: {state: asked}}
  - {fact: resumed, is: {state: works}, was: {state: asked}}
  - {fact: responded, is: {state: works}, was: {state: new}}
  - {fact: resolved, is: {state: resolved}}
  - {fact: noted, is: {state: works}}
"""
COURSES = (
    (("Open", 0), ("Works", 30), ("Done", 200)),
    (("Open", 0), ("Works", 90)),
    (("Open", 0), ("Waits", 20), ("Done", 200)),
    (("Open", 0),),
)
"""Courses of a ticket, as states with their minutes: answered, late, after a wait, never."""
TICKETS = 20
SPEED = "3600"


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int | None
    out: str
    err: str


@pytest.fixture
def empty_stack(tmp_path: Path) -> Iterator[Stack]:
    """Run an unused stack, to which a replay goes with `--here`."""
    stack = Stack(tmp_path / "stack")
    asyncio.run(stack.up())
    yield stack
    asyncio.run(stack.down(wipe=True))


async def premium(stack: Stack, *args: str) -> Ended:
    """Run the command against a stack."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "premium",
        *args,
        env={**os.environ, "PREMIUM_HOME": str(stack.folder), "COLUMNS": "200"},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


def written(folder: Path) -> tuple[str, str]:
    """Write a log of a few hours, with one of COURSES for each ticket in turn, and a bad row."""
    noon = datetime(2020, 1, 6, 12, tzinfo=UTC)
    rows = ["id,at,status", "0,noon,Open"]
    for ticket in range(TICKETS):
        for state, minute in COURSES[ticket % len(COURSES)]:
            at = noon + timedelta(minutes=ticket + minute)
            rows.append(f"{ticket},{at.isoformat()},{state}")
    log, mapping = folder / "log.csv", folder / "map.yaml"
    log.write_text("\n".join(rows))
    mapping.write_text(MAPPING)
    return str(log), str(mapping)


async def runs_in_real_time(stack: Stack) -> bool:
    """Return whether every database uses real time."""
    tables = Tables({name: stack.addresses.dsn(name, owner=True) for name in DATABASES})
    await tables.start()
    try:
        real = await BusinessTime(tables.databases).real_now()
        times = []
        for database in tables.databases.values():
            async with database.session() as session:
                times.append(await session.fetchval("SELECT premium_now()"))
    finally:
        await tables.stop()
    return all(abs(moment - real) < timedelta(minutes=1) for moment in times)


def test_a_log_is_replayed_at_speed(empty_stack: Stack, tmp_path: Path) -> None:
    """Every row is counted, promises have the outcomes of the log, and real time is restored."""
    log, mapping = written(tmp_path)
    report_file = tmp_path / "report.json"
    args = (
        "replay",
        log,
        "--mapping",
        mapping,
        "--speed",
        SPEED,
        "--report",
        str(report_file),
        "--here",
    )
    ended = asyncio.run(premium(empty_stack, *args))
    assert (ended.code, ended.err.count("Traceback")) == (0, 0), ended
    assert "log.csv: 55 of 55 documents" in ended.err
    report = Report.model_validate_json(report_file.read_text())
    assert report.is_whole
    (refusal,) = report.rows.refusals
    assert refusal.startswith("log.csv:2: column 'at': 'noon' is not a time in the format iso")
    assert (report.rows.read, report.rows.with_documents, report.rows.refused) == (46, 45, 1)
    assert report.clocks == {"met": 10, "met, breached": 5, "running, breached": 5}
    assert report.tickets == report.published["premium.ticket.accepted.v1"] == TICKETS
    assert report.published["premium.ticket.noted.v1"] == 10
    assert (report.claims.made, report.claims.started_as_standard) == (TICKETS, TICKETS)
    assert asyncio.run(runs_in_real_time(empty_stack))

    again = asyncio.run(premium(empty_stack, *args))
    assert again.code == 1
    assert "a replay changes time and needs an empty stack" in again.err
