"""Draws histories by a seed: the facts of one ticket, and when each of them arrives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from random import Random
from typing import Final, get_args
from uuid import UUID

from tests.simulation.events import ANSWERED, HANDOVERS, SEVERE, SIMPLE, SIMPLE_WAITS, TICKET

from shared.events import Envelope, Event, TicketAbsorbed, TicketAccepted, TicketFact, TicketMerged
from shared.sla.promises import (
    CAUSES,
    WARNINGS,
    Cause,
    Channel,
    Promise,
    PromiseKind,
    Role,
    Severity,
)
from shared.testing.builders import promised

__all__ = ["END", "TICKET", "History", "Step", "draw", "promise"]

type Fact = Envelope[Event]

END: Final = datetime(2027, 6, 1, tzinfo=UTC)
"""Long after everything is over."""
_MINUTE: Final = timedelta(minutes=1)
_ZONES: Final = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Kathmandu",
)
_DAYS: Final = (
    datetime(2026, 3, 2, tzinfo=UTC),  # an ordinary Monday
    datetime(2026, 3, 6, tzinfo=UTC),  # a Friday: America changes to summer time
    datetime(2026, 3, 27, tzinfo=UTC),  # Europe does
    datetime(2026, 4, 3, tzinfo=UTC),  # Lord Howe changes back, by half an hour
    datetime(2026, 4, 23, tzinfo=UTC),  # Cairo changes on a Friday
    datetime(2026, 10, 2, tzinfo=UTC),
    datetime(2026, 10, 23, tzinfo=UTC),
    datetime(2026, 10, 29, tzinfo=UTC),
)
_GRID_MIN: Final = (1, 5, 15, 15, 30, 60, 240, 480)
_TARGETS_S: Final = (60, 90, 300, 600, 1800, 2700, 3600, 4500, 7200, 28800, 57600)
_WARNINGS: Final = (
    WARNINGS,
    WARNINGS,
    (),
    ("75%",),
    ("25%", "50%", "75%"),
    ("10 s left",),
    ("30 s left", "50%", "33%"),
)
_LONG_WARNINGS: Final = (
    *_WARNINGS,
    ("15 min left",),
    ("50%", "30 min left"),
    ("5 min left", "20 min left"),
)
_LONG_S: Final = 2700
_PAUSE_ON: Final[tuple[tuple[Cause, ...], ...]] = (
    CAUSES,
    CAUSES,
    (),
    ("customer",),
    ("vendor",),
    ("customer", "other"),
)
_KINDS: Final[tuple[tuple[PromiseKind, ...], ...]] = (
    ("first_response",),
    ("first_response", "next_response"),
    ("first_response", "resolution"),
    ("next_response", "resolution"),
    ("callback", "next_response"),
    ("join", "resolution"),
    ("first_response", "next_response", "resolution"),
    (),
)
_REOPEN_WITHIN_S: Final = (2_592_000, 2_592_000, 86_400, 7_200, 0)
_SPECIALISTS: Final = ("ada", "bo")


@dataclass(frozen=True, slots=True)
class Step:
    """At ``now`` a batch of facts arrives; an empty batch means a sweep."""

    now: datetime
    batch: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The facts and sweeps of one ticket; ``exception`` covers it if it has a name."""

    steps: tuple[Step, ...]
    exception: str | None

    @property
    def facts(self) -> list[Fact]:
        """All arriving facts in order, including copies."""
        return [fact for step in self.steps for fact in step.batch]

    def exception_of(self, _: TicketAccepted, __: datetime) -> str | None:
        """Return the name of the exception, as the engine asks for it."""
        return self.exception

    def without(self, fact: Fact) -> "History":
        """Remove one fact with all its arrivals."""
        kept = (
            replace(step, batch=tuple(f for f in step.batch if f.id != fact.id))
            for step in self.steps
            if not step.batch or any(f.id != fact.id for f in step.batch)
        )
        return replace(self, steps=tuple(kept))

    def lines(self) -> Iterator[str]:
        """Format the history for a reader."""
        if self.exception:
            yield f"exception {self.exception}"
        for step in self.steps:
            yield f"{step.now:%a %d %b %H:%M:%S.%f} {'' if step.batch else 'sweep'}"
            for fact in step.batch:
                what = fact.event.model_dump(exclude_defaults=True, exclude={"ticket_id"})
                for promise in what.pop("promises", ()):
                    yield f"      {promise}"
                yield f"    {fact.time:%a %H:%M:%S.%f} {fact.event.type} {fact.id.hex[:8]} {what}"


def draw(seed: int) -> History:
    """Draw the history of a seed."""
    random = Random(seed)  # noqa: S311 - a simulation
    create_date = random.choice(_DAYS) + random.randrange(0, 1440, 15) * _MINUTE
    facts = list(_facts(random, create_date))
    return History(
        steps=tuple(_steps(random, facts)),
        exception="storm" if random.random() < 0.1 else None,
    )


@lru_cache(maxsize=65536)
def promise(
    kind: PromiseKind,
    promise_class: str,
    target_s: int,
    calendar: str,
    time_zone: str,
    warnings: tuple[str, ...] = WARNINGS,
    pause_on: tuple[Cause, ...] = CAUSES,
) -> Promise:
    """Make a promise."""
    return Promise.model_validate(
        {
            "kind": kind,
            "promise_class": promise_class,
            "target_s": target_s,
            "calendar": calendar,
            "time_zone": time_zone,
            "due_at": None,
            "rule": "",
            "warnings": warnings,
            "pause_on": pause_on,
        }
    )


@cache
def _built_in(role: Role, channel: Channel, severity: Severity, zone: str) -> tuple[Promise, ...]:
    return promised(_DAYS[0], role=role, channel=channel, severity=severity, time_zone=zone)


def _facts(random: Random, create_date: datetime) -> Iterator[Fact]:
    yield _fact(random, _accepted(random, create_date), create_date)
    grid = random.choice(_GRID_MIN) * _MINUTE
    if random.random() < 0.08:
        again = create_date + random.randint(-3, 3) * grid
        yield _fact(random, _accepted(random, again), again)
    length = min(1 + int(random.expovariate(0.2)), 16)
    late = random.choice((8, 16, 30))
    themes = random.sample(sorted(_WEIGHTS), 3)
    for _ in range(length):
        at = create_date + random.randint(-1, late) * grid
        if random.random() < 0.05:
            at += timedelta(microseconds=random.choice((-1, 1, 499, 123_456_789)))
        yield _fact(random, _event(random, themes, at), at)


def _fact(random: Random, event: Event, at: datetime) -> Fact:
    return Envelope(UUID(int=random.getrandbits(128)), "intake", at, event)


def _accepted(random: Random, create_date: datetime) -> TicketAccepted:
    role = random.choice(get_args(Role.__value__))
    channel = random.choice(get_args(Channel.__value__))
    severity, other = random.sample(get_args(Severity.__value__), 2)
    zone = random.choice(_ZONES)
    prices: dict[Severity, tuple[Promise, ...]]
    if random.random() < 0.3:
        prices = {s: _built_in(role, channel, s, zone) for s in (severity, other)}
    else:
        kinds = random.choice(_KINDS)
        others = kinds if random.random() < 0.7 else random.choice(_KINDS)
        about = random.randrange(len(_TARGETS_S))
        prices = {
            severity: _policy(random, kinds, about, zone),
            other: _policy(random, others, about, zone),
        }
    delay = random.choice((None, timedelta(0), _MINUTE))
    return TicketAccepted(
        ticket_id=TICKET,
        source="form",
        external_id="1",
        account_id="northwind",
        requester_id="ada",
        role=role,
        channel=channel,
        severity=severity,
        claimed_severity=severity,
        language="en",
        time_zone=zone,
        policy="p",
        promises=prices[severity],
        accepted_at=None if delay is None else create_date + delay,
        if_reclassified={other: prices[other]},
        reopen_within_s=random.choice(_REOPEN_WITHIN_S),
    )


def _absorbed(at: datetime) -> tuple[Event, ...]:
    """Merge a duplicate, whose customer is owed a first response, a next one, or none."""
    created = at - 45 * _MINUTE
    return tuple(
        TicketAbsorbed(
            ticket_id=TICKET,
            absorbed=UUID(int=at.minute),
            create_date=created,
            owed_since=owed_since,
            reopens=reopens,
        )
        for owed_since, reopens in (
            (created, True),
            (created, True),
            (at - 15 * _MINUTE, True),
            (None, True),
            (None, False),
        )
    )


def _policy(
    random: Random, kinds: Sequence[PromiseKind], about: int, zone: str
) -> tuple[Promise, ...]:
    """Draw promises with targets close to one of the list."""
    promises = []
    for kind in kinds:
        place = about + random.randint(-1, 1)
        target_s = _TARGETS_S[min(max(place, 0), len(_TARGETS_S) - 1)]
        promises.append(
            promise(
                kind,
                random.choice(("guarantee", "guarantee", "objective")),
                target_s,
                random.choice(("always", "always", "business_week")),
                zone,
                random.choice(_LONG_WARNINGS if target_s >= _LONG_S else _WARNINGS),
                random.choice(_PAUSE_ON),
            )
        )
    return tuple(promises)


def _event(random: Random, themes: Sequence[str], at: datetime) -> Event:
    """Draw an event; half of them are of the kinds on which this history focuses."""
    kinds = themes if random.random() < 0.5 else tuple(_WEIGHTS)
    kind = random.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
    match kind:
        case "waiting":
            return SIMPLE_WAITS[random.choice(CAUSES)]
        case "reclassified":
            return random.choice(SEVERE[random.choice(get_args(Severity.__value__))])
        case "absorbed":
            return random.choice(_absorbed(at))
        case "merged":
            return TicketMerged(ticket_id=TICKET, into=UUID(int=random.getrandbits(128)))
        case "handover" | "responded":
            return random.choice(HANDOVERS if kind == "handover" else ANSWERED)
        case _:
            return SIMPLE[kind]


_WEIGHTS: Final = {
    "responded": 5,
    "replied": 5,
    "waiting": 6,
    "resumed": 4,
    "resolved": 3,
    "closed": 3,
    "reopened": 4,
    "reclassified": 4,
    "reached": 1,
    "merged": 0.7,
    "absorbed": 1.5,
    "erased": 0.4,
    "noted": 1,
    "handover": 4,
}


def _steps(random: Random, facts: Sequence[Fact]) -> Iterator[Step]:
    """Draw when each fact arrives, and sweeps between; yield the steps in order."""
    latest_min = random.choice((0, 0, 5, 60, 600, 3000))
    arrivals = [(_arrives_at(random, fact, latest_min), fact) for fact in facts]
    if random.random() < 0.3:
        arrivals += [
            (_arrives_at(random, f, latest_min), f) for f in facts if random.random() < 0.3
        ]
    if random.random() < 0.3:
        copied = [_copy(random, f) for f in facts if random.random() < 0.3]
        arrivals += [(_arrives_at(random, fact, latest_min), fact) for fact in copied]
    arrivals.sort(key=lambda arrival: (arrival[0], arrival[1].id))
    batch_max, sweeps_max = random.choice((1, 1, 3, 20)), random.choice((0, 1, 3, 8))
    now = arrivals[0][0]
    while arrivals:
        size = random.randint(1, batch_max)
        batch, arrivals = arrivals[:size], arrivals[size:]
        for _ in range(random.randint(0, sweeps_max)):
            gap_min = (batch[-1][0] - now) // _MINUTE
            now += random.randint(0, max(gap_min, 0) // 2) * _MINUTE
            yield Step(now, ())
        now = max(now, batch[-1][0])
        yield Step(now, tuple(fact for _, fact in batch))
    yield Step(now + random.randint(0, 600) * _MINUTE, ())
    yield Step(END, ())


def _copy(random: Random, fact: Fact) -> Fact:
    """Copy a fact; a copy from upstream may have another event id."""
    if not isinstance(fact.event, TicketFact) or isinstance(fact.event, TicketAccepted):
        return fact
    return replace(fact, id=UUID(int=random.getrandbits(128)))


def _arrives_at(random: Random, fact: Fact, latest_min: int) -> datetime:
    """Draw when a fact arrives: at once, late, or early, if the other system's clock is ahead."""
    luck = random.random()
    if luck < 0.02:
        return fact.time - random.randint(0, 60) * _MINUTE
    if luck < 0.5:
        return fact.time
    return fact.time + random.randint(0, latest_min) * _MINUTE
