"""The decision record: why a ticket was assigned to a specialist, or waits."""

from typing import ClassVar, Literal, override

from pydantic import BaseModel, ConfigDict, Field

from shared.events.assignments import AssignmentFact
from shared.events.base import Moment, TicketEvent
from shared.events.specialists import Presence
from shared.sla.promises import Channel, PromiseClass, added

__all__ = [
    "RULES",
    "AssignmentExplained",
    "Candidate",
    "Change",
    "Decided",
    "Need",
    "Rule",
    "Wanted",
    "Weights",
]

type Rule = Literal[
    "channel", "certified", "language", "skill", "presence", "shift", "room", "set_aside", "pinned"
]
"""The conditions for taking a ticket, in the order in which they are checked."""
RULES: tuple[Rule, ...] = (
    "channel",
    "certified",
    "language",
    "skill",
    "presence",
    "shift",
    "room",
    "set_aside",
    "pinned",
)
type Decided = Literal["only", "step", "score", "idle_longest", "id"]
"""Why the chosen specialist came before the next: the only candidate, less relaxation, a lower
score, a longer wait for a ticket of the channel, or the first id."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Need(_Part):
    """What a ticket requires, in full or at one relaxation step.

    ``language`` None means any; ``level`` is 1 to 5.
    """

    language: str | None
    level: int
    skills: tuple[str, ...] = added(())


class Weights(_Part):
    """The weight of each part of a score; the lowest score gets the ticket."""

    scarcity: int = Field(ge=0, le=1000)
    load: int = Field(ge=0, le=1000)
    affinity: int = Field(ge=0, le=1000)


class Wanted(_Part):
    """The requirements of a ticket: in ``needs`` the original ones, then one per relaxation step.

    ``rank_at`` orders the queue, the earliest first; ``due_at`` is None where nothing is due.
    ``all_set_aside``: every qualified specialist was excluded after declining, so the exclusions
    are ignored. ``pinned_to`` is the specialist for whom a lead reserved the ticket; or, if it
    ``returns`` by the customer's reply, the one who answered it before.
    """

    account_id: str
    channel: Channel
    language: str
    promise_class: PromiseClass
    due_at: Moment | None
    rank_at: Moment
    needs: tuple[Need, ...] = Field(min_length=1)
    all_set_aside: bool = added(default=False)
    pinned_to: str | None = added(None)
    returns: bool = added(default=False)


class Candidate(_Part):
    """A specialist at the time of the decision, with the result for them.

    ``capacity`` and ``load`` count tickets of the channel; ``held`` is the total weight of their
    tickets, ``universal`` its maximum, and a ticket of the channel weighs ``weight``. ``scarcity``
    (thousandths) is how rare their abilities are among the specialists present. ``knows``: they
    recently had the account's last ticket. ``last_at`` is when they last got a ticket of the
    channel. ``unheard``: they never signed in, so an offer that rings cannot reach them, and they
    count as not online. Either ``failed`` names the first condition they do not meet, or ``step``
    is the relaxation step at which they qualify, with a score.
    """

    specialist_id: str
    capacity: int
    load: int
    scarcity: int = added(0)
    levels: dict[str, int] = added({})
    skills: tuple[str, ...] = added(())
    certified: bool = added(default=True)
    presence: Presence = added("online")
    unheard: bool = added(default=False)
    on_shift: bool = added(default=True)
    universal: int | None = added(None)
    held: int = added(0)
    weight: int = added(1)
    knows: bool = added(default=False)
    set_aside: bool = added(default=False)
    last_at: Moment | None = added(None)
    failed: Rule | None = added(None)
    step: int | None = added(None)
    score: int | None = added(None)

    @property
    def room(self) -> int:
        """The number of further tickets they can take; negative if their capacity was reduced."""
        room = self.capacity - self.load
        if self.universal is None:
            return room
        return min(room, (self.universal - self.held) // self.weight)


class Change(_Part):
    """The counterfactual: the smallest change to one specialist that changes the decision.

    ``rule`` is the condition to change. ``by`` counts held tickets for room (negative: fewer),
    levels for a language, skills for a skill.
    """

    specialist_id: str
    rule: Rule
    by: int = added(0)
    instead: str | None = added(None)
    """The specialist who would have got the ticket; None: it would have waited."""


class AssignmentExplained(TicketEvent):
    """One decision with all its inputs: the record alone suffices to reproduce the decision.

    ``specialist_id`` is None for a ticket that waits, at most until ``again_at``, the next
    relaxation. ``candidates`` are limited in number (docs/matching.md); ``others`` counts the rest
    by the first condition they failed, or as ``able`` if they could have taken the ticket.
    """

    topic: ClassVar[str] = AssignmentFact.topic
    type: ClassVar[str] = "premium.assignment.explained.v1"

    decided_at: Moment
    specialist_id: str | None
    wanted: Wanted
    weights: Weights
    candidates: tuple[Candidate, ...]
    others: dict[Rule | Literal["able"], int] = added({})
    decided_by: Decided | None = added(None)
    smallest_change: Change | None = added(None)
    again_at: Moment | None = added(None)

    @property
    @override
    def discriminator(self) -> str:
        """The chosen specialist: one cause may lead to several decisions on a ticket."""
        return self.specialist_id or ""
