"""Why a ticket went to whom it went, or waits: the record of one decision."""

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
"""What somebody must meet to take a ticket, in the order in which it is looked at."""
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
"""What told the chosen from the next: they were alone, needed less relaxation, had the lower score,
had waited longer for a ticket of the channel, or came first by id."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Need(_Part):
    """What one step asks of a specialist; ``language`` None is any, ``level`` from 1 to 5."""

    language: str | None
    level: int
    skills: tuple[str, ...] = added(())


class Weights(_Part):
    """How much each part of a score counts; the lowest score gets the ticket."""

    scarcity: int = Field(ge=0, le=1000)
    load: int = Field(ge=0, le=1000)
    affinity: int = Field(ge=0, le=1000)


class Wanted(_Part):
    """What the ticket asked for: by ``needs``, the first of them as it was, one more each step.

    ``rank_at`` is its place in the order of work, the earliest first; ``due_at`` is None where
    nothing is due. With ``all_set_aside``
    everybody who qualifies, or is there, was set aside, so nobody is. ``pinned_to`` is whom a lead
    keeps it for; or, when it ``returns`` by the customer's reply, who answered it.
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
    """A specialist as the decision saw them, then what it made of them.

    ``capacity`` and ``load`` count tickets of the channel; ``held`` is the weight of all that they
    hold and ``universal`` what they may hold, a ticket of the channel weighing ``weight``.
    ``scarcity`` (thousandths) is how rare what they can do is among who is there. ``knows`` the
    account: had it last, not long ago. ``last_at`` is when they were last given a ticket of the
    channel. An ``unheard`` one never signed in, and the ticket would ring: they count as not
    online, whatever the roster says. Either a rule ``failed``, or there is the ``step`` at which
    they qualify and a score.
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
        """Count the tickets they could take more; below zero when the roster shrank."""
        room = self.capacity - self.load
        if self.universal is None:
            return room
        return min(room, (self.universal - self.held) // self.weight)


class Change(_Part):
    """The smallest change of one fact about one specialist by which another would have it.

    ``rule`` says which fact; for room, ``by`` is in tickets that they hold more (fewer, if below
    zero); for a language in levels, for a skill in skills.
    """

    specialist_id: str
    rule: Rule
    by: int = added(0)
    instead: str | None = added(None)
    """Who would have had the ticket; None: it would have waited."""


class AssignmentExplained(TicketEvent):
    """One decision with all that it was made of: the same comes out of this record alone.

    ``specialist_id`` is None for a ticket that waits, until ``again_at`` if nothing else happens.
    ``candidates`` are in full up to a bound (docs/matching.md); of the ``others`` there is a count
    for each rule that failed first, and of those who could have taken it too but come after
    (``able``).
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
        """Who has it: one cause may take a ticket from one and give it to another."""
        return self.specialist_id or ""
