"""When promises are due, as they are read back: as sla-monitor says, over what was accepted."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.events import ReceiptIssued
from shared.events.receipts import Promised
from shared.sla.promises import PromiseKind
from shared.tickets.due import ClockView, earliest_due

__all__ = ["receipt_now", "with_due"]


def receipt_now(receipt: ReceiptIssued, clocks: Mapping[str, ClockView]) -> ReceiptIssued:
    """Say in a receipt what is due now; the spans were those of what was due then."""
    return receipt.model_copy(
        update={"promises": tuple(_promised(one, clocks.values()) for one in receipt.promises)}
    )


def with_due(promises: Iterable[dict[str, Any]], clocks: Mapping[str, ClockView]) -> list[Any]:
    """Say of promises, as they were kept, what is due now."""
    return [{**one, **_moved(one["kind"], clocks.values())} for one in promises]


def _promised(promise: Promised, clocks: Iterable[ClockView]) -> Promised:
    moved = _moved(promise.kind, clocks)
    return promise.model_copy(update={**moved, "spans": ()}) if moved else promise


def _moved(kind: PromiseKind, clocks: Iterable[ClockView]) -> dict[str, Any]:
    """Name what differs by now; nothing where no record of such a clock has come."""
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
