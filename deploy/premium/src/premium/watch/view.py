"""The lines of a watch: each breach, miss and retraction, and how far silence can be trusted."""

from rich.text import Text

from premium.moments import Local, length, words
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

__all__ = ["broken_line", "silence_line"]


def broken_line(envelope: Envelope[Event]) -> Text | None:
    """Tell a breach, a miss or a retraction in one line; None for anything else."""
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


def _line(head: str, style: str, event: BreachFact, said: str) -> Text:
    about = (event.account_id, words(event.kind), event.channel, f"ticket {event.ticket_id}")
    return Text(head, style=style).append("  " + "  ".join((said, *about)), style="default")


def _lateness(event: PromiseBreached | PromiseMissed) -> str:
    said = f"said {length(event.lateness_ms)} after"
    late = " (by a late fact)" if event.late else ""
    most = "" if event.breakdown is None else _most(event.breakdown)
    return f"{said}{late}{most}"


def _most(breakdown: Breakdown) -> str:
    if not breakdown.parts_ms:
        return ""
    part, part_ms = max(breakdown.parts_ms.items(), key=lambda each: each[1])
    return f", {words(part)} {length(part_ms)} of {length(breakdown.total_ms)}"


def silence_line(proof: Proof) -> Text:
    """Say how far silence can be trusted, in red where it cannot, with what to do."""
    judged = "nothing" if proof.evaluated_to is None else f"all to {Local.utc(proof.evaluated_to)}"
    sums = f"{proof.open:,} open · worst lag {length(proof.lag_ms_max)}"
    if proof.is_too_old:
        return Text(
            f"SILENCE PROVES NOTHING: no watermark of partition {proof.oldest} for"
            f" {proof.age_s:.0f} s, {judged} was judged · {sums}. The monitor may be dead: see"
            " whether sla-monitor runs (its /ready), and its log",
            style="bold red",
        )
    if proof.evaluated_to is None or proof.unheard:
        heard = proof.partitions - proof.unheard
        return Text(f"heard of {heard} of {proof.partitions} partitions · {sums}", style="dim")
    told = f"silence holds to {Local.utc(proof.evaluated_to)} · {proof.age_s:.1f} s old · {sums}"
    return Text(told, style="green")
