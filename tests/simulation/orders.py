"""All small histories over an alphabet of facts, in every order of arrival."""

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
_EVENTS: Final[tuple[tuple[float, Event], ...]] = (
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
    for number, (after_min, event) in enumerate(_EVENTS)
)
_LEARNED_EVERY: Final = timedelta(minutes=25)


def small_histories(length_max: int) -> Iterator[tuple[Fact, ...]]:
    """Yield sets of up to so many facts; the acceptance is always included."""
    opened, *others = ALPHABET
    for more in range(length_max):
        for chosen in combinations(others, more):
            yield opened, *chosen


def disagreements(facts: Sequence[Fact]) -> list[str]:
    """List the orders of arrival whose result differs from the rules, fast or slow."""

    @cache
    def derived(places: frozenset[int]) -> list[Clock]:
        return derive([facts[place] for place in places])

    verdicts = judge(facts, no_exception)
    broken = {(TICKET, *name): verdict.broken(END) for name, verdict in verdicts.items()}
    wanted = {key: each for key, each in broken.items() if each is not None}
    expected = {clock.key: clock for clock in derive(facts)}
    found = []
    for every in (timedelta(0), _LEARNED_EVERY):
        for order, end in _ends(_State((), {}, {}, NOON), facts, derived, every):
            kept = {key: _unannounced(end.clocks[key]) for key in expected}
            if end.net != wanted or kept != expected:
                labels = [f"{facts[i].time:%H:%M} {facts[i].event.type}" for i in order]
                found.append(f"{labels} every {every} comes to {end.net}, by the rules {wanted}")
    return found


class _State(NamedTuple):
    """The state after some arrivals; ``order`` holds their indexes."""

    order: tuple[int, ...]
    clocks: Clocks
    net: Net
    now: datetime

    def with_updates(self, updates: Iterable[ClockUpdate]) -> "_State":
        """Apply updates, and record which clocks are announced as broken."""
        clocks, net = dict(self.clocks), dict(self.net)
        for clock, announced, _ in updates:
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
        """Run a sweep."""
        due = [c for c in self.clocks.values() if (at := c.next_at()) is not None and at <= now]
        return self._replace(now=now).with_updates(announce_due(clock, now=now) for clock in due)


type _Derive = Callable[[frozenset[int]], list[Clock]]


def _ends(
    state: _State, facts: Sequence[Fact], derived: _Derive, every: timedelta
) -> Iterator[tuple[tuple[int, ...], _State]]:
    """Search the tree of orders, so that common beginnings are computed once."""
    if len(state.order) == len(facts):
        yield state.order, state.swept(END)
    for place, fact in enumerate(facts):
        if place not in state.order:
            now = max(state.now + every, fact.time)
            order = (*state.order, place)
            learned = _learned(state.swept(now), derived(frozenset(order)), fact)
            yield from _ends(learned._replace(order=order), facts, derived, every)


def _learned(state: _State, expected: Sequence[Clock], fact: Fact) -> _State:
    keys = {clock.key for clock in expected}
    gone = [clock for key, clock in state.clocks.items() if key not in keys]
    clocks = state.clocks
    folded = [update_clock(clocks.get(clock.key), clock, fact, now=state.now) for clock in expected]
    return state.with_updates([*(withdraw(clock, fact) for clock in gone), *folded])


def _unannounced(clock: Clock) -> Clock:
    """Remove from a clock what was announced about it."""
    return clock._replace(warned_s=0, broken=None, broken_id=None, retractions=0)
