"""Due times as the API returns them: those of acceptance, replaced by sla-monitor's later ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.events import ReceiptIssued
from shared.events.receipts import Promised
from shared.sla.promises import PromiseKind
from shared.tickets.due import ClockView, earliest_due

__all__ = ["receipt_now", "with_due"]


def receipt_now(receipt: ReceiptIssued, clocks: Mapping[str, ClockView]) -> ReceiptIssued:
    """Put current due times into a receipt; drop the spans of what sla-monitor has changed."""
    return receipt.model_copy(
        update={"promises": tuple(_promised(one, clocks.values()) for one in receipt.promises)}
    )


def with_due(promises: Iterable[dict[str, Any]], clocks: Mapping[str, ClockView]) -> list[Any]:
    """Put current due times into the stored promises of a ticket."""
    return [{**one, **_changed_fields(one["kind"], clocks.values())} for one in promises]


def _promised(promise: Promised, clocks: Iterable[ClockView]) -> Promised:
    changed = _changed_fields(promise.kind, clocks)
    return promise.model_copy(update={**changed, "spans": ()}) if changed else promise


def _changed_fields(kind: PromiseKind, clocks: Iterable[ClockView]) -> dict[str, Any]:
    """Return what sla-monitor published last for a promise; empty before its first event for it."""
    same = [clock for clock in clocks if clock.kind == kind]
    if not same:
        return {}
    clock = earliest_due(same) or same[-1]
    target = {} if clock.target_s is None else {"target_s": clock.target_s}
    return {
        "promise_class": clock.promise_class,
        "due_at": clock.due_at,
        "paused": clock.state == "paused",
        **target,
    }
