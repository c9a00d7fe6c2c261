"""The lines of a watch: breaches, misses, retractions, and how far silence can be trusted."""

from rich.text import Text

from premium.timestamps import Local, duration, plain
from premium.watch.silence import Proof
from shared.events import (
    BreachFact,
    Breakdown,
    Envelope,
    Event,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
)

__all__ = ["breach_line", "silence_line"]


def breach_line(envelope: Envelope[Event]) -> Text | None:
    """Describe a breach, a miss or a retraction in one line; return None for other events."""
    event = envelope.event
    when = Local.utc(envelope.time)
    match event:
        case PromiseBreached():
            return _line(f"{when}  ✖ BREACHED ", "bold red", event, _lateness(event))
        case PromiseMissed():
            return _line(f"{when}  ◇ missed   ", "blue", event, _lateness(event))
        case PromiseRetracted(retracted=what, reason=reason):
            why = f": {reason}" if reason else ""
            return _line(f"{when}  ↩ retracted", "yellow", event, f"was {what}, but{why}")
        case _:
            return None


def _line(head: str, style: str, event: BreachFact, detail: str) -> Text:
    about = (event.account_id, plain(event.kind), event.channel, f"ticket {event.ticket_id}")
    return Text(head, style=style).append("  " + "  ".join((detail, *about)), style="default")


def _lateness(event: PromiseBreached | PromiseMissed) -> str:
    published = f"published {duration(event.lateness_ms)} late"
    late = " (by a late fact)" if event.late else ""
    most = "" if event.breakdown is None else _longest_part(event.breakdown)
    return f"{published}{late}{most}"


def _longest_part(breakdown: Breakdown) -> str:
    if not breakdown.parts_ms:
        return ""
    part, part_ms = max(breakdown.parts_ms.items(), key=lambda each: each[1])
    return f", {plain(part)} {duration(part_ms)} of {duration(breakdown.total_ms)}"


def silence_line(proof: Proof) -> Text:
    """Describe how far silence can be trusted; in red with a remedy if a watermark is too old."""
    until = "nothing" if proof.evaluated_to is None else f"all to {Local.utc(proof.evaluated_to)}"
    sums = f"{proof.open:,} open · worst lag {duration(proof.lag_ms_max)}"
    if proof.is_too_old:
        return Text(
            f"SILENCE PROVES NOTHING: no watermark of partition {proof.oldest} for"
            f" {proof.age_s:.0f} s, {until} was evaluated · {sums}. The monitor may be dead: see"
            " whether sla-monitor runs (its /ready), and its log",
            style="bold red",
        )
    if proof.evaluated_to is None or proof.partitions_missing:
        found = proof.partitions - proof.partitions_missing
        return Text(f"watermarks of {found} of {proof.partitions} partitions · {sums}", style="dim")
    text = f"silence holds to {Local.utc(proof.evaluated_to)} · {proof.age_s:.1f} s old · {sums}"
    return Text(text, style="green")
