"""What the bench of intake found, as figures beside those of the floor."""

from collections.abc import Sequence
from itertools import chain
from statistics import median

from lab.bench.intake.trial import Backlog, Trial
from lab.bench.report import Figure, Section, percentile

__all__ = ["at_half", "batches", "inbound", "saturated"]


def saturated(
    floor: Sequence[Trial], ours: Sequence[Trial], untagged: Trial, connections: int
) -> Section:
    """Read how many get in."""
    return Section(
        title=f"POST /v1/tickets, {connections} connections, saturated",
        figures=(
            _figure("answered", "requests/s", "≥ 1,000", ours, floor=floor, read="rate_hz"),
            *_costs(ours, "request", floor),
            _figure("sender", "% of a core", "", ours, floor=floor, read="sender_share"),
            _figure("without a language tag", "requests/s", "", [untagged], read="rate_hz"),
            _cost("the same, intake, processor a request", "intake", [untagged]),
        ),
    )


def at_half(floor: Sequence[Trial], ours: Sequence[Trial], rate_hz: float) -> Section:
    """Read how soon each is told. The far end is one of all repeats together."""
    each = [[trial.sent.latencies_ms for trial in side] for side in (floor, ours)]
    together = [[*chain(*side)] for side in each]
    p99 = [percentile(side, 99) for side in together]
    most = [max(side) for side in together]
    p50 = [tuple(map(median, side)) for side in each]
    return Section(
        title=f"POST /v1/tickets at half of that rate, {rate_hz:,.0f} a second",
        figures=(
            Figure(name="p50", unit="ms", floor=p50[0], ours=p50[1]),
            Figure(name="p99", unit="ms", floor=(p99[0],), ours=(p99[1],), goal="ratio ≤ 3"),
            Figure(name="greatest", unit="ms", floor=(most[0],), ours=(most[1],)),
            *_costs(ours, "request", floor),
            _figure("sender", "% of a core", "", ours, floor=floor, read="sender_share"),
        ),
    )


def batches(ours: Sequence[Trial], together: int) -> Section:
    """Read how many get in when many are sent together."""
    return Section(
        title=f"POST /v1/tickets:batch, {together} each, saturated",
        figures=(
            _figure("answered", "tickets/s", "≥ 4,000", ours, read="rate_hz"),
            *_costs(ours, "ticket"),
            _figure("sender", "% of a core", "", ours, read="sender_share"),
        ),
    )


def inbound(found: Backlog) -> Section:
    """Read how fast a backlog is worked off."""
    count = found.records
    cost_ms = found.cpu_s / count * 1000
    return Section(
        title=f"inbound.v1, a backlog of {count:,}",
        figures=(
            _one("from first to last claim", "records/s", count / found.claimed_s, "≥ 8,000"),
            _one("until the last receipt is in Kafka", "records/s", count / found.receipts_s),
            _one("until the last receipt is in Kafka", "s", found.receipts_s),
            _one("intake, processor a record", "ms", cost_ms),
            _one("a core of intake would do", "records/s", 1000 / cost_ms),
        ),
    )


def _costs(ours: Sequence[Trial], unit: str, floor: Sequence[Trial] = ()) -> tuple[Figure, ...]:
    most = tuple(1000 / trial.cost_ms("intake") for trial in ours)
    return (
        _cost(f"intake, processor a {unit}", "intake", ours),
        _cost(f"PostgreSQL, processor a {unit}", "postgres", ours, floor),
        Figure(name="a core of intake would do", unit=f"{unit}s/s", ours=most),
    )


def _cost(name: str, server: str, ours: Sequence[Trial], floor: Sequence[Trial] = ()) -> Figure:
    beneath, above = (tuple(trial.cost_ms(server) for trial in side) for side in (floor, ours))
    return Figure(name=name, unit="ms", floor=beneath, ours=above)


def _figure(  # noqa: PLR0913 - a figure has a name, a unit, a goal, and two sides to read
    name: str,
    unit: str,
    goal: str,
    ours: Sequence[Trial],
    *,
    floor: Sequence[Trial] = (),
    read: str,
) -> Figure:
    beneath, above = (tuple(getattr(trial, read) for trial in side) for side in (floor, ours))
    return Figure(name=name, unit=unit, goal=goal, floor=beneath, ours=above)


def _one(name: str, unit: str, value: float, goal: str = "") -> Figure:
    return Figure(name=name, unit=unit, goal=goal, ours=(value,))
