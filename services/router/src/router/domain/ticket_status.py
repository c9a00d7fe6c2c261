"""What the life of a ticket means to router: whether it needs a specialist, and how it stands."""

from collections import deque
from datetime import datetime
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from shared.tickets import FactKind, LifecycleFact, TicketLife, lifecycle_steps, ordered_facts

__all__ = ["UNKNOWN", "State", "Status", "status_after"]

type State = Literal["", "joined", "answered", "reached", "resolved", "closed"]
"""How a ticket stands, where it is not simply to be answered."""

_FACTS: Final[TypeAdapter[list[LifecycleFact]]] = TypeAdapter(list[LifecycleFact])
_ANSWERS: Final[frozenset[FactKind]] = frozenset({"responded", "reached", "resolved"})


class Status(NamedTuple):
    """How a ticket stands by its ``facts``, which are read only when another is learned.

    ``asked_at`` is the customer's first word that is not answered yet.
    """

    facts: str = "[]"
    released: bool = False
    state: State = ""
    answered_at: datetime | None = None
    asked_at: datetime | None = None

    @property
    def came_back(self) -> bool:
        """The customer replied to what was answered, and waits for another answer."""
        return self.answered_at is not None and self.asked_at is not None


UNKNOWN: Final = Status()
"""How a ticket stands of which no fact came."""


def status_after(before: Status, fact: LifecycleFact) -> Status:
    """Say how a ticket stands by the set of its facts, to which one is added."""
    facts = sorted({*_FACTS.validate_json(before.facts), fact}, key=attrgetter("at", "id"))
    written = _FACTS.dump_json(facts, exclude_defaults=True).decode()
    ordered = ordered_facts(facts)
    answers = [one for one in ordered if one.kind in _ANSWERS]
    life = next(iter(deque(lifecycle_steps(ordered), maxlen=1)), None)
    if life is None:
        return before._replace(facts=written)
    return Status(
        facts=written,
        released=not life.needs_specialist,
        state=_state(life, answers),
        answered_at=answers[-1].at if answers else None,
        asked_at=life.owed_since,
    )


def _state(life: TicketLife, answers: list[LifecycleFact]) -> State:
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
