"""Reduces the lifecycle of a ticket to what router needs to know of it."""

from collections import deque
from datetime import datetime
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from shared.tickets import FactKind, LifecycleFact, TicketLife, lifecycle_steps, ordered_facts

__all__ = ["UNKNOWN", "LifecycleState", "LifecycleStatus", "lifecycle_status_after"]

type LifecycleState = Literal["", "joined", "answered", "reached", "resolved", "closed"]
"""Where a ticket is in its life; empty while it waits for an answer."""

_FACTS: Final[TypeAdapter[list[LifecycleFact]]] = TypeAdapter(list[LifecycleFact])
_ANSWERS: Final[frozenset[FactKind]] = frozenset({"responded", "reached", "resolved"})


class LifecycleStatus(NamedTuple):
    """The status of a ticket by its ``facts``, which are parsed only when another fact arrives.

    ``asked_at`` is the time of the customer's first message that is not answered yet.
    """

    facts: str = "[]"
    released: bool = False
    state: LifecycleState = ""
    answered_at: datetime | None = None
    asked_at: datetime | None = None

    @property
    def came_back(self) -> bool:
        """The customer replied to an answer and waits for another one."""
        return self.answered_at is not None and self.asked_at is not None


UNKNOWN: Final = LifecycleStatus()
"""The status of a ticket before its first fact."""


def lifecycle_status_after(before: LifecycleStatus, fact: LifecycleFact) -> LifecycleStatus:
    """Return the status of a ticket after adding a fact; the order of arrival does not matter."""
    facts = sorted({*_FACTS.validate_json(before.facts), fact}, key=attrgetter("at", "id"))
    written = _FACTS.dump_json(facts, exclude_defaults=True).decode()
    ordered = ordered_facts(facts)
    answers = [one for one in ordered if one.kind in _ANSWERS]
    life = next(iter(deque(lifecycle_steps(ordered), maxlen=1)), None)
    if life is None:
        return before._replace(facts=written)
    return LifecycleStatus(
        facts=written,
        released=not life.needs_specialist,
        state=_state(life, answers),
        answered_at=answers[-1].at if answers else None,
        asked_at=life.owed_since,
    )


def _state(life: TicketLife, answers: list[LifecycleFact]) -> LifecycleState:
    match life.status:
        case "resolved":
            return "resolved"
        case "closed" | "merged" | "erased":
            return "closed"
        case _ if life.needs_specialist:
            is_open = life.unanswered_since is not None or life.reopened_unanswered
            return "" if is_open else "joined"
        case _:
            return "reached" if answers and answers[-1].kind == "reached" else "answered"
