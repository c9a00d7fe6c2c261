"""A router without a database: each step is a session of its own, with results kept in memory."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from router.domain.assignment.session import AssignmentSession
from router.domain.command_handlers import execute, report_presence
from router.domain.commands import (
    Accept,
    Command,
    CommandOutcome,
    DeclineOffer,
    EndAway,
    PresenceCommand,
    PresenceReport,
    SetAway,
)
from router.domain.matching_request import AccountAffinity
from router.domain.offers.offer import Offer
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import Envelope, Event, SpecialistFact, ticket_id_of
from shared.testing.builders import NOON

type Step = Envelope[Event] | Command | PresenceCommand


def ticket_id(name: str) -> UUID:
    """Return the id of the ticket of that name."""
    return ticket_id_of("test", name)


@dataclass
class InMemoryRouter:
    """Keeps between sessions what the roster cache and PostgreSQL keep."""

    rules: OfferRules = field(default_factory=OfferRules)
    now: datetime = NOON
    roster: Roster = field(default_factory=lambda: Roster([]))
    names: set[str] = field(default_factory=set)
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    offers: dict[UUID, Offer] = field(default_factory=dict)
    affinities: dict[str, AccountAffinity] = field(default_factory=dict)
    announced: list[Envelope[Event]] = field(default_factory=list)

    @property
    def specialists(self) -> dict[str, Specialist]:
        """Return all specialists who ever were on the roster."""
        known = ((name, self.roster.get(name)) for name in sorted(self.names))
        return {name: one for name, one in known if one is not None}

    def later(self, *, seconds: float) -> None:
        """Let time pass; timers apply with the next step."""
        self.now += timedelta(seconds=seconds)

    def apply(self, *steps: Step) -> list[CommandOutcome]:
        """Apply each step in a transaction of its own; a step that raises has no effect."""
        outcomes = []
        for step in steps:
            try:
                outcomes.append(self._apply(step))
            except Exception:
                self.roster.roll_back()
                raise
        return [outcome for outcome in outcomes if outcome is not None]

    def wake(self) -> None:
        """Apply timers only."""
        self._keep(self._begin())

    def offer_of(self, name: str) -> Offer:
        """Return the open offer of a ticket."""
        offer = self.tickets[ticket_id(name)].offer
        assert offer is not None
        return offer

    def accept(self, name: str) -> Accept:
        """Build the acceptance of a ticket's open offer."""
        offer = self.offer_of(name)
        return Accept(offer.offer_id, offer.specialist_id)

    def events_about_specialists(self, *kinds: type[SpecialistFact]) -> list[str]:
        """Return the announced events about specialists, of the given types."""
        events = [e.event for e in self.announced if isinstance(e.event, SpecialistFact)]
        wanted = [e for e in events if not kinds or isinstance(e, kinds)]
        return [f"{e.type[len('premium.') : -len('.v1')]} {e.specialist_id}" for e in wanted]

    def _apply(self, step: Step) -> CommandOutcome | None:
        session = self._begin()
        outcome = None
        if isinstance(step, PresenceReport | SetAway | EndAway):
            report_presence(session, step)
        elif isinstance(step, Envelope):
            session.apply(step)
        else:
            asked_for = step.offer_id if isinstance(step, Accept | DeclineOffer) else None
            offer = self.offers.get(asked_for) if asked_for else None
            outcome = execute(session, step, offer).outcome
        self._keep(session)
        return outcome

    def _begin(self) -> AssignmentSession:
        self.roster.roll_back()
        session = AssignmentSession(self.roster, deepcopy(self._rows()), self.now, self.rules)
        session.state.affinities = {**self.affinities}
        session.dispatcher.add_waiting((), dict.fromkeys(self.roster.pools, 1))
        session.wake({})
        return session

    def _rows(self) -> Sequence[Ticket]:
        return sorted(self.tickets.values(), key=lambda ticket: ticket.ticket_id)

    def _keep(self, session: AssignmentSession) -> None:
        self.roster.commit()
        state = session.state
        self.names.update(state.listed)
        self.affinities = state.affinities
        self.tickets = state.tickets
        self.offers |= state.offers
        self.announced += state.announced
