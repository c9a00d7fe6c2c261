"""What open clocks cost while none is due: memory, processor, disk, and the poll."""

import statistics
from dataclasses import dataclass
from typing import Final

import psutil

from lab.bench.due import seeding
from lab.bench.due.sheet import Row, single
from lab.bench.due.subjects import MONITOR, Ours
from lab.bench.measures import cpu_s, pause
from premium.errors import CommandError
from shared.basics.clock import elapsed_s

__all__ = ["POLLS", "IdleCost", "measure_idle", "rows"]

_IDLE_S: Final = 10
POLLS: Final = 200


@dataclass(frozen=True, slots=True)
class IdleCost:
    """The cost of ``open`` clocks. Processor in percent of one core, memory in MiB."""

    open: int
    cpu: float
    postgres_cpu: float
    rss_mib: float
    poll_ms: float
    bytes_per_clock: float


async def measure_idle(ours: Ours) -> IdleCost:
    """Measure for ten seconds."""
    monitor, postgres = await _process(ours, MONITOR), await _process(ours, "postgres")
    before, since_s = (cpu_s(monitor), cpu_s(postgres)), elapsed_s()
    await pause(_IDLE_S)
    took = (cpu_s(monitor) - before[0], cpu_s(postgres) - before[1])
    passed_s = elapsed_s(since_s)
    count = await seeding.open_count(ours.connection)
    return IdleCost(
        open=count,
        cpu=took[0] / passed_s * 100,
        postgres_cpu=took[1] / passed_s * 100,
        rss_mib=monitor.memory_info().rss / 2**20,
        poll_ms=statistics.median([await seeding.poll_ms(ours.connection) for _ in range(POLLS)]),
        bytes_per_clock=await seeding.bytes_per_clock(ours.connection) if count else 0,
    )


def rows(start: IdleCost, few: IdleCost, many: IdleCost) -> tuple[Row, ...]:
    """Make rows of three measurements: at the start, with few clocks, with many."""
    at = ((start, "at the start"), (few, f"{few.open:,} open"), (many, f"{many.open:,} open"))
    return (
        *(single(f"memory of {MONITOR}, {when}", "MiB", one.rss_mib) for one, when in at),
        *(single(f"idle {MONITOR}, {when}", "% of a core", one.cpu) for one, when in at),
        single("PostgreSQL meanwhile, all of it", "% of a core", many.postgres_cpu),
        *(single(f"what is due, {when}", "ms", one.poll_ms) for one, when in at[1:]),
        single("the same, many to few", "", many.poll_ms / few.poll_ms if few.poll_ms else None),
        single("an open clock, indexes included", "bytes", many.bytes_per_clock),
    )


async def _process(ours: Ours, name: str) -> psutil.Process:
    for state in await ours.stack.states():
        if state.name == name and state.pid is not None:
            return psutil.Process(state.pid)
    raise CommandError(f"{name} does not run")
