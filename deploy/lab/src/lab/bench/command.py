"""`premium bench`: the running system compared with a hand-written baseline."""

import logging
from pathlib import Path
from typing import Annotated

import psutil
import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from lab.bench.baseline import baseline
from lab.bench.environment import environment, where
from lab.bench.ours import ours
from lab.bench.report import Report, write
from lab.bench.rounds import Bench
from lab.own_stack import stack_for
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["bench"]


def bench(
    *,
    here: Annotated[
        bool, typer.Option("--here", help="Measure the stack in PREMIUM_HOME; its data stays.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure throughput and latency, and those of a hand-written baseline in the same run.

    An own stack with new data is started and removed; takes about six minutes.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console()
    try:
        found = run(_measured(console, here=here))
    except Transient as e:
        raise CommandError(f"{e}; is the machine short of memory or disk?") from e
    if report is not None:
        write(report, found)


async def _measured(console: Console, *, here: bool) -> Report:
    reporter = ConsoleReporter(console)
    async with stack_for("bench", reporter, here=here) as stack:
        states = await stack.states()
        processes = {state.name: psutil.Process(state.pid) for state in states if state.pid}
        servers = {name: p for name, p in processes.items() if name in {"postgres", "kafka"}}
        addresses, logs = stack.addresses, stack.folder / "logs"
        described = environment(state.title for state in states)
        console.print(where(described))
        async with (
            ours(addresses, processes) as running,
            baseline(addresses.kafka_bootstrap, addresses.admin_dsn, logs, servers) as hand_written,
        ):
            sections = []
            async for section in Bench(hand_written, running, reporter.line).run():
                console.print(section.table())
                sections.append(section)
    return Report(environment=described, sections=tuple(sections))
