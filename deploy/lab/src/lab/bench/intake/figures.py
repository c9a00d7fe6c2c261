"""The results of bench-intake as figures of ours and of the baseline."""

from collections.abc import Sequence
from itertools import chain
from statistics import median

from lab.bench.intake.trial import Backlog, Trial
from lab.bench.report import Figure, Section, percentile

__all__ = ["at_half", "batches", "inbound", "saturated"]


def saturated(
    baseline: Sequence[Trial], ours: Sequence[Trial], untagged: Trial, connections: int
) -> Section:
    """Return the throughput at saturation."""
    return Section(
        title=f"POST /v1/tickets, {connections} connections, saturated",
        figures=(
            _figure("answered", "requests/s", "≥ 1,000", ours, baseline=baseline, read="rate_hz"),
            *_costs(ours, "request", baseline),
            _figure("sender", "% of a core", "", ours, baseline=baseline, read="sender_share"),
            _figure("without a language tag", "requests/s", "", [untagged], read="rate_hz"),
            _cost("the same, intake, processor a request", "intake", [untagged]),
        ),
    )


def at_half(baseline: Sequence[Trial], ours: Sequence[Trial], rate_hz: float) -> Section:
    """Return the latencies at half of the saturated rate; p99 and maximum over all repeats."""
    each = [[trial.sent.latencies_ms for trial in side] for side in (baseline, ours)]
    combined = [[*chain(*side)] for side in each]
    p99 = [percentile(side, 99) for side in combined]
    most = [max(side) for side in combined]
    p50 = [tuple(map(median, side)) for side in each]
    return Section(
        title=f"POST /v1/tickets at half of that rate, {rate_hz:,.0f} a second",
        figures=(
            Figure(name="p50", unit="ms", baseline=p50[0], ours=p50[1]),
            Figure(name="p99", unit="ms", baseline=(p99[0],), ours=(p99[1],), goal="ratio ≤ 3"),
            Figure(name="greatest", unit="ms", baseline=(most[0],), ours=(most[1],)),
            *_costs(ours, "request", baseline),
            _figure("sender", "% of a core", "", ours, baseline=baseline, read="sender_share"),
        ),
    )


def batches(ours: Sequence[Trial], per_request: int) -> Section:
    """Return the throughput of batches."""
    return Section(
        title=f"POST /v1/tickets:batch, {per_request} each, saturated",
        figures=(
            _figure("answered", "tickets/s", "≥ 4,000", ours, read="rate_hz"),
            *_costs(ours, "ticket"),
            _figure("sender", "% of a core", "", ours, read="sender_share"),
        ),
    )


def inbound(found: Backlog) -> Section:
    """Return how fast a backlog is processed."""
    count = found.records
    cost_ms = found.cpu_s / count * 1000
    return Section(
        title=f"inbound.v1, a backlog of {count:,}",
        figures=(
            _one("from first to last claim", "records/s", count / found.claimed_s, "≥ 8,000"),
            _one("until the last receipt is in Kafka", "records/s", count / found.receipts_s),
            _one("until the last receipt is in Kafka", "s", found.receipts_s),
            _one("intake, processor a record", "ms", cost_ms),
            _one("one core of intake would process", "records/s", 1000 / cost_ms),
        ),
    )


def _costs(ours: Sequence[Trial], unit: str, baseline: Sequence[Trial] = ()) -> tuple[Figure, ...]:
    most = tuple(1000 / trial.cost_ms("intake") for trial in ours)
    return (
        _cost(f"intake, processor a {unit}", "intake", ours),
        _cost(f"PostgreSQL, processor a {unit}", "postgres", ours, baseline),
        Figure(name="one core of intake would process", unit=f"{unit}s/s", ours=most),
    )


def _cost(name: str, server: str, ours: Sequence[Trial], baseline: Sequence[Trial] = ()) -> Figure:
    first, second = (tuple(trial.cost_ms(server) for trial in side) for side in (baseline, ours))
    return Figure(name=name, unit="ms", baseline=first, ours=second)


def _figure(  # noqa: PLR0913 - a figure has a name, a unit, a goal, and two sides to read
    name: str,
    unit: str,
    goal: str,
    ours: Sequence[Trial],
    *,
    baseline: Sequence[Trial] = (),
    read: str,
) -> Figure:
    first, second = (tuple(getattr(trial, read) for trial in side) for side in (baseline, ours))
    return Figure(name=name, unit=unit, goal=goal, baseline=first, ours=second)


def _one(name: str, unit: str, value: float, goal: str = "") -> Figure:
    return Figure(name=name, unit=unit, goal=goal, ours=(value,))
