"""The commands that prove or measure the system, as `premium.cli` reads them."""

from typing import Final

__all__ = ["SUBCOMMANDS"]

SUBCOMMANDS: Final = {
    "demo": ("lab.demo.command", "Run a simulated day of requests on an own stack."),
    "replay": ("lab.replay.command", "Replay an event log through an own stack."),
    "bench": ("lab.bench.command", "Measure throughput and latency."),
    "bench-due": ("lab.bench.due.command", "Measure how late due clocks are published."),
    "bench-intake": ("lab.bench.intake.command", "Measure how many requests intake accepts."),
    "bench-infeasible": (
        "lab.bench.infeasible.command",
        "Measure how soon an infeasible promise is published.",
    ),
    "bench-match": ("lab.bench.match.command", "Measure how fast tickets are matched."),
}
