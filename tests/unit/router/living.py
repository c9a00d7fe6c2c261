"""A desk that lives on from one transaction to the next, as PostgreSQL lets it."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from router.domain import Desk
from router.offers.acts import Accept, Act, DeclineOffer, Outcome, Say
from router.offers.effects import do, say
from router.offers.offer import Offer
from router.offers.rules import Rules
from router.roster import Roster, Specialist
from router.ticket import Ticket
from shared.events import Envelope, Event, SpecialistFact, ticket_id_of
from shared.testing.builders import NOON

type Step = Envelope[Event] | Act | Say


def ticket_id(name: str) -> UUID:
    """Find the id of the ticket of that name."""
    return ticket_id_of("test", name)


@dataclass
class ADesk:
    """What is left between two transactions; each sees copies, as if read from tables."""

    rules: Rules = field(default_factory=Rules)
    now: datetime = NOON
    people: dict[str, Specialist] = field(default_factory=dict)
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    offers: dict[UUID, Offer] = field(default_factory=dict)
    announced: list[Envelope[Event]] = field(default_factory=list)

    def later(self, *, seconds: float) -> None:
        """Let time pass; what it brings about shows with the next step."""
        self.now += timedelta(seconds=seconds)

    def play(self, *steps: Step) -> list[Outcome]:
        """Take each step in a transaction of its own; a step that raises has no effect."""
        return [outcome for step in steps if (outcome := self._play(step)) is not None]

    def wake(self) -> None:
        """Let nothing happen but time."""
        self._keep(self._begin())

    def offer_of(self, name: str) -> Offer:
        """Find the open offer of a ticket."""
        offer = self.tickets[ticket_id(name)].offer
        assert offer is not None
        return offer

    def accept(self, name: str) -> Accept:
        """Make who is offered a ticket accept it."""
        offer = self.offer_of(name)
        return Accept(offer.offer_id, offer.specialist_id)

    def told(self, *kinds: type[SpecialistFact]) -> list[str]:
        """Read what was announced of specialists, of these kinds."""
        events = [e.event for e in self.announced if isinstance(e.event, SpecialistFact)]
        wanted = [e for e in events if not kinds or isinstance(e, kinds)]
        return [f"{e.type[len('premium.') : -len('.v1')]} {e.specialist_id}" for e in wanted]

    def _play(self, step: Step) -> Outcome | None:
        desk = self._begin()
        outcome = None
        if isinstance(step, Say):
            say(desk, step)
        elif isinstance(step, Envelope):
            desk.apply(step)
        else:
            asked_for = step.offer_id if isinstance(step, Accept | DeclineOffer) else None
            outcome = do(desk, step, self.offers.get(asked_for) if asked_for else None).outcome
        self._keep(desk)
        return outcome

    def _begin(self) -> Desk:
        people = deepcopy([*self.people.values()])
        desk = Desk(Roster(people), deepcopy(self._rows()), self.now, self.rules)
        desk.wake()
        return desk

    def _rows(self) -> Sequence[Ticket]:
        return sorted(self.tickets.values(), key=lambda ticket: ticket.ticket_id)

    def _keep(self, desk: Desk) -> None:
        known = [desk.roster.get(name) for name in {**self.people, **desk.listed}]
        self.people = {one.specialist_id: one for one in known if one is not None}
        self.tickets = desk.tickets
        self.offers |= desk.offers
        self.announced += desk.announced
