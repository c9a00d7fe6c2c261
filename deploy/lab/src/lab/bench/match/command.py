"""`premium bench-match`: how fast router matches, compared with bare transactions."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from devstack.stack import Stack
from lab.bench.environment import environment, where
from lab.bench.match.baseline import Baseline
from lab.bench.match.seeding import seed
from lab.bench.report import Figure, Report, Section, percentile, write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run

__all__ = ["bench_match"]

_ROUTER: Final = "router"
_MIB: Final = 2**20


def bench_match(  # noqa: PLR0913 - a command's options are its arguments
    *,
    specialists: Annotated[int, typer.Option(min=100, help="Specialists on the roster.")] = 15_000,
    queued: Annotated[int, typer.Option(min=1_000, help="Number of waiting tickets.")] = 50_000,
    singles: Annotated[int, typer.Option(min=100, help="Single decisions.")] = 1_000,
    batches: Annotated[int, typer.Option(min=1, help="Batches of 500 answers.")] = 40,
    newcomers: Annotated[int, typer.Option(min=10, help="Specialists who come online.")] = 50,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure matching on a full roster with a long queue; each answer frees room for a ticket.

    An own stack with new data is started and removed. The figures do not include Kafka.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sizes = {"singles": singles, "batches": batches, "newcomers": newcomers}
    found = run(_measured(Console(), sizes, specialists=specialists, queued=queued))
    if report is not None:
        write(report, found)


async def _measured(
    console: Console, sizes: dict[str, int], *, specialists: int, queued: int
) -> Report:
    reporter = ConsoleReporter(console)
    async with own_stack("bench", reporter, [_ROUTER]) as stack:
        described = environment(state.title for state in await stack.states() if state.pid)
        console.print(where(described))
        await stack.stop(_ROUTER)
        reporter.line(f"{specialists:,} specialists, {queued:,} waiting tickets")
        dsn = stack.addresses.dsn(_ROUTER, owner=True)
        await seed(dsn, specialists=specialists, queued=queued)
        reporter.line("Ours")
        ours = await _timed(stack, sizes)
        reporter.line("The baseline")
        section = _section(ours, await _baseline(dsn, sizes, ours["batch_size"]))
    console.print(section.table())
    return Report(environment=described, sections=(section,))


async def _timed(stack: Stack, sizes: dict[str, int]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "router.matching_benchmark", json.dumps(sizes)),
        env={
            **os.environ,
            "ROUTER_DSN": stack.addresses.dsn(_ROUTER),
            "ROUTER_KAFKA_BOOTSTRAP": stack.addresses.kafka_bootstrap,
            "ROUTER_HTTP_PORT": "0",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, faults = await process.communicate()
    if process.returncode != 0:
        last = (faults.decode().strip().splitlines() or ["no output"])[-1]
        raise CommandError(f"router.matching_benchmark ended with {process.returncode}: {last}")
    found: dict[str, Any] = json.loads(output)
    return found


async def _baseline(dsn: str, sizes: dict[str, int], batch: int) -> dict[str, list[float]]:
    connection = await asyncpg.connect(dsn)
    try:
        baseline = Baseline(connection)
        await baseline.make()
        await baseline.write(batch)
        return {
            "single": [await baseline.write(1) for _ in range(sizes["singles"])],
            "batch": [await baseline.write(batch) for _ in range(sizes["batches"])],
        }
    finally:
        await connection.close()


def _section(ours: dict[str, Any], baseline: dict[str, list[float]]) -> Section:
    def ms(found: dict[str, Any], what: str, percent: int) -> tuple[float, ...]:
        return (1000 * percentile(found[what], percent),)

    def per_s(found: dict[str, Any]) -> tuple[float, ...]:
        return tuple(ours["batch_size"] / took_s for took_s in found["batch"])

    return Section(
        title="Matching: an answer is handled, a waiting ticket assigned, the decision recorded",
        figures=(
            Figure(name="load the roster", unit="s", ours=tuple(ours["load"])),
            Figure(
                name="one decision, p50",
                unit="ms",
                baseline=ms(baseline, "single", 50),
                ours=ms(ours, "single", 50),
            ),
            Figure(
                name="one decision, p99",
                unit="ms",
                baseline=ms(baseline, "single", 99),
                ours=ms(ours, "single", 99),
                goal="<= 10",
            ),
            Figure(
                name="assignments",
                unit="a second",
                baseline=per_s(baseline),
                ours=per_s(ours),
                goal=">= 1,000",
            ),
            Figure(
                name="router's processor time per assignment",
                unit="ms",
                ours=(1000 * ours["busy_s"],),
            ),
            Figure(
                name="a specialist who comes online gets a ticket, p99",
                unit="ms",
                ours=ms(ours, "newcomer", 99),
                goal="<= 100",
            ),
            Figure(name="growth of memory", unit="MiB", ours=(ours["grown_bytes"] / _MIB,)),
        ),
    )
