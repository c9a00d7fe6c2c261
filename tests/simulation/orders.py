"""All small histories of an alphabet of facts, each learned of in every order there is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import combinations
from typing import Final, NamedTuple
from uuid import UUID

from tests.simulation.histories import END, TICKET, promise
from tests.simulation.oracle import judge

from shared.events import (
    CustomerReplied,
    Envelope,
    Event,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import Promise
from shared.testing.builders import NOON, minutes
from sla_monitor.domain import (
    Clock,
    ClockUpdate,
    Key,
    announce_due,
    derive,
    no_exception,
    update_clock,
    withdraw,
)

__all__ = ["ALPHABET", "LENGTH_MAX", "disagreements", "small_histories"]

type Fact = Envelope[Event]
type Clocks = dict[Key, Clock]
type Net = dict[Key, str]

LENGTH_MAX: Final = 6


def _prices(target_min: int) -> tuple[Promise, ...]:
    return (
        promise("first_response", "guarantee", target_min * 60, "always", "UTC"),
        promise("next_response", "guarantee", target_min * 60, "always", "UTC"),
        promise(
            *("resolution", "objective", 2 * target_min * 60, "always", "UTC"),
            ("15 min left",),
            ("customer",),
        ),
    )


_ACCEPTED: Final = TicketAccepted(
    ticket_id=TICKET,
    source="form",
    external_id="1",
    account_id="northwind",
    requester_id="ada",
    role="super_admin",
    channel="email",
    severity="standard",
    claimed_severity="standard",
    language="en",
    time_zone="UTC",
    policy="p",
    promises=_prices(60),
    if_reclassified={"business_critical": _prices(30)},
)
_ABSORBED: Final = TicketAbsorbed(
    ticket_id=TICKET,
    absorbed=TICKET,
    create_date=NOON - minutes(20),
    owed_since=NOON - minutes(20),
    reopens=True,
)
_TOLD: Final[tuple[tuple[float, Event], ...]] = (
    (0, _ACCEPTED),
    (10, TicketWaiting(ticket_id=TICKET, waiting_for="customer")),
    (20, TicketWaiting(ticket_id=TICKET, waiting_for="vendor")),
    (25, TicketReclassified(ticket_id=TICKET, severity="business_critical")),
    (30, TicketResponded(ticket_id=TICKET)),
    (30, CustomerReplied(ticket_id=TICKET)),
    (40, TicketResumed(ticket_id=TICKET)),
    (50, CustomerReplied(ticket_id=TICKET)),
    (60, TicketClosed(ticket_id=TICKET)),
    (65, TicketReopened(ticket_id=TICKET)),
    (70, TicketResolved(ticket_id=TICKET)),
    (75, _ABSORBED),
    (80, TicketReopened(ticket_id=TICKET)),
    (100, TicketResponded(ticket_id=TICKET)),
    (110, TicketMerged(ticket_id=TICKET, into=TICKET)),
)
ALPHABET: Final[tuple[Fact, ...]] = tuple(
    Envelope(UUID(int=number + 1), "intake", NOON + minutes(after_min), event)
    for number, (after_min, event) in enumerate(_TOLD)
)
_LEARNED_EVERY: Final = timedelta(minutes=25)


def small_histories(length_max: int) -> Iterator[tuple[Fact, ...]]:
    """Choose up to so many facts; the acceptance is always one of them."""
    opened, *others = ALPHABET
    for more in range(length_max):
        for chosen in combinations(others, more):
            yield opened, *chosen


def disagreements(facts: Sequence[Fact]) -> list[str]:
    """Say which orders of arrival come to another end than the rules: told at once, or slowly."""

    @cache
    def derived(places: frozenset[int]) -> list[Clock]:
        return derive([facts[place] for place in places])

    verdicts = judge(facts, no_exception)
    broken = {(TICKET, *name): verdict.broken(END) for name, verdict in verdicts.items()}
    wanted = {key: each for key, each in broken.items() if each is not None}
    truths = {truth.key: truth for truth in derive(facts)}
    found = []
    for every in (timedelta(0), _LEARNED_EVERY):
        for order, end in _ends(_State((), {}, {}, NOON), facts, derived, every):
            kept = {key: _unsaid(end.clocks[key]) for key in truths}
            if end.net != wanted or kept != truths:
                told = [f"{facts[i].time:%H:%M} {facts[i].event.type}" for i in order]
                found.append(f"{told} every {every} comes to {end.net}, by the rules {wanted}")
    return found


class _State(NamedTuple):
    """What is known, kept and announced after some arrivals; ``order`` holds their places."""

    order: tuple[int, ...]
    clocks: Clocks
    net: Net
    now: datetime

    def saying(self, outcomes: Iterable[ClockUpdate]) -> "_State":
        """Keep the clocks, and count what was announced of each that it is broken."""
        clocks, net = dict(self.clocks), dict(self.net)
        for clock, announced, _ in outcomes:
            clocks[clock.key] = clock
            for each in announced:
                match each.event:
                    case PromiseBreached() | PromiseMissed():
                        assert clock.key not in net, "announced twice"
                        net[clock.key] = each.event.type.split(".")[2]
                    case PromiseRetracted():
                        del net[clock.key]
                    case _:
                        pass
        return self._replace(clocks=clocks, net=net)

    def swept(self, now: datetime) -> "_State":
        """Let time alone go by."""
        due = [c for c in self.clocks.values() if (at := c.next_at()) is not None and at <= now]
        return self._replace(now=now).saying(announce_due(clock, now=now) for clock in due)


type _Derive = Callable[[frozenset[int]], list[Clock]]


def _ends(
    state: _State, facts: Sequence[Fact], derived: _Derive, every: timedelta
) -> Iterator[tuple[tuple[int, ...], _State]]:
    """Go through the orders as through a tree: what some begin with in common is played once."""
    if len(state.order) == len(facts):
        yield state.order, state.swept(END)
    for place, fact in enumerate(facts):
        if place not in state.order:
            now = max(state.now + every, fact.time)
            order = (*state.order, place)
            learned = _learned(state.swept(now), derived(frozenset(order)), fact)
            yield from _ends(learned._replace(order=order), facts, derived, every)


def _learned(state: _State, truths: Sequence[Clock], fact: Fact) -> _State:
    keys = {truth.key for truth in truths}
    gone = [clock for key, clock in state.clocks.items() if key not in keys]
    clocks = state.clocks
    folded = [update_clock(clocks.get(truth.key), truth, fact, now=state.now) for truth in truths]
    return state.saying([*(withdraw(clock, fact) for clock in gone), *folded])


def _unsaid(clock: Clock) -> Clock:
    """Forget what was announced of it."""
    return clock._replace(warned_s=0, broken=None, broken_id=None, retractions=0)
