"""The state of one transaction: what was loaded, and what is to be saved and published."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from router.domain.matching_request import AccountAffinity
from router.domain.offers.offer import Offer
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import AssignmentExplained, Envelope, Event, TicketEvent
from shared.sla.promises import Channel

__all__ = ["AssignmentState", "CapacityAndLoad"]

_SOURCE: Final = "router"

type CapacityAndLoad = tuple[int, int]
"""How many tickets of one channel a specialist can hold, and how many they hold."""


@dataclass(slots=True)
class AssignmentState:
    """The state of one transaction: loaded before the decisions, saved after them.

    Specialists change in ``roster`` itself, which can roll these changes back.
    """

    roster: Roster
    rules: OfferRules
    now: datetime
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    """Tickets that were loaded or created, by id."""
    affinities: dict[str, AccountAffinity] = field(default_factory=dict)
    """The specialist who last had a ticket of an account, by account."""
    traces: dict[UUID, str] = field(default_factory=dict)
    """Trace of the current event or command, by ticket; without an entry, the request's trace."""
    allocated: int = 0
    """How often matching assigned or offered a ticket."""
    announced: list[Envelope[Event]] = field(default_factory=list)
    """Events to publish, in order."""
    touched: set[UUID] = field(default_factory=set)
    """Tickets to save."""
    offers: dict[UUID, Offer] = field(default_factory=dict)
    """Offers that were made or ended, by id."""
    loads_before: dict[tuple[str, Channel], CapacityAndLoad] = field(default_factory=dict)
    """Values as loaded: the save fails if another transaction has changed them."""
    affinity_changed: set[str] = field(default_factory=set)
    """Accounts whose entry in ``affinities`` is new."""
    listed: dict[str, Specialist] = field(default_factory=dict)
    """Specialists whom the roster listed or removed."""
    shift_changed: dict[str, Specialist] = field(default_factory=dict)
    """Specialists whose shift began or ended."""
    presence_reported: set[str] = field(default_factory=set)
    """Specialists whose reported presence changed."""
    presence_lapsed: dict[str, datetime] = field(default_factory=dict)
    """When a reported presence ended; a report that is stored meanwhile takes precedence."""
    availability_changed: set[str] = field(default_factory=set)
    """Specialists whose `away` or count of unanswered offers changed."""

    @property
    def changed_specialists(self) -> set[str]:
        """Ids of all specialists that are to be saved."""
        with_load = {specialist_id for specialist_id, _ in self.loads_before}
        return with_load.union(
            self.listed,
            self.shift_changed,
            self.presence_reported,
            self.presence_lapsed,
            self.availability_changed,
        )

    @property
    def decisions(self) -> list[Envelope[AssignmentExplained]]:
        """The decision records among the announced events."""
        return [
            cast("Envelope[AssignmentExplained]", envelope)
            for envelope in self.announced
            if isinstance(envelope.event, AssignmentExplained)
        ]

    def specialist(self, specialist_id: str) -> Specialist:
        """Return a specialist who is known to exist, listed or removed."""
        specialist = self.roster.get(specialist_id)
        assert specialist is not None  # noqa: S101 - the database holds the reference
        return specialist

    def continue_trace(self, ticket_id: UUID, traceparent: str | None) -> None:
        """Attach a ticket's next events to a trace; None changes nothing."""
        if traceparent is not None:
            self.traces[ticket_id] = traceparent

    def announce(self, cause: UUID, event: TicketEvent) -> None:
        """Add an event to publish; its id is derived from ``cause``."""
        trace = self.traces.get(event.ticket_id) or self.tickets[event.ticket_id].traceparent
        self.announced.append(
            Envelope.caused_by(cause, event, source=_SOURCE, time=self.now, traceparent=trace)
        )

    def keep_load_before(
        self, specialist: Specialist, channel: Channel, *, new: bool = False
    ) -> None:
        """Remember capacity and load from before their first change: 0 for a ``new`` specialist."""
        before = (specialist.capacity.get(channel, 0), specialist.load.get(channel, 0))
        self.loads_before.setdefault((specialist.specialist_id, channel), (0, 0) if new else before)
