"""Business time beside an oracle that asks the wall clock about every single minute.

The oracle is the definition, word for word, on zoneinfo and datetime alone: it shares no code with
the engine. `make calendars` draws over a million cases.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import accumulate, groupby, pairwise
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays

from shared.sla.calendars import Calendar, CalendarSpec, offset_changes, zone_names

CALENDARS_A_SEED: Final = 30
CASES_A_CALENDAR: Final = 500
MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)
US: Final = timedelta(microseconds=1)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

NASTY: Final = [
    ("Pacific/Apia", 2011, 12, 30),  # the date never was
    ("Pacific/Kwajalein", 1993, 8, 21),  # the same
    ("Pacific/Kanton", 1994, 12, 31),  # the same, at a year's end
    ("Africa/Casablanca", 2026, 2, 15),  # Ramadan turns the clocks back and forth
    ("Africa/Casablanca", 2030, 1, 31),
    ("Australia/Lord_Howe", 2026, 4, 5),  # half an hour
    ("Australia/Lord_Howe", 2026, 10, 4),
    ("Antarctica/Troll", 2026, 3, 29),  # two hours
    ("Europe/Dublin", 2026, 10, 25),  # winter is the exception
    ("America/Sao_Paulo", 2018, 11, 4),  # midnight never was
    ("America/Sao_Paulo", 2018, 2, 17),  # the last hour of a date comes twice
    ("America/Havana", 2026, 3, 8),
    ("Asia/Beirut", 2026, 3, 29),
    ("Asia/Gaza", 2040, 10, 13),  # two changes within a week
    ("America/Caracas", 2016, 5, 1),  # a new offset, no summer time
    ("Asia/Pyongyang", 2018, 5, 4),
    ("Asia/Kathmandu", 1985, 12, 31),
    ("America/Scoresbysund", 2024, 3, 31),  # a new zone and summer time at once
    ("Europe/Volgograd", 2018, 10, 28),
    ("America/Toronto", 2027, 11, 7),
    ("Europe/Berlin", 2028, 2, 29),
]
UNEVEN: Final = [  # offsets of odd seconds
    ("Africa/Monrovia", 1972, 1, 7),
    ("America/Juneau", 1867, 10, 18),
    ("Asia/Manila", 1844, 12, 31),
    ("Europe/Dublin", 1916, 5, 21),
    ("Europe/Paris", 1911, 3, 11),
]

type Blocks = list[tuple[int, int]]


@dataclass(frozen=True)
class Rules:
    """What holds from a date on, in plain words of Python; minutes count from the date's 00:00."""

    since: date
    week: dict[int, Blocks]
    regions: list[str] = field(default_factory=list)
    closed: list[date] = field(default_factory=list)
    half_days: dict[date, Blocks] = field(default_factory=dict)


def blocks_of(versions: list[Rules], day: date) -> Blocks:
    """Look a date up: its version, then half-day, then holiday, then weekday."""
    rules = next(rules for rules in reversed(versions) if rules.since <= day)
    if day in rules.half_days:
        return rules.half_days[day]
    if day in rules.closed or any(day in country_holidays(code) for code in rules.regions):
        return []
    return rules.week.get(day.weekday(), [])


def is_open(blocks_on: Callable[[date], Blocks], zone: ZoneInfo, instant: datetime) -> bool:
    """Say whether the wall clock shows a time within a block of today, or of yesterday."""
    shown = instant.astimezone(zone).replace(tzinfo=None)
    for day in (shown.date(), shown.date() - DAY):
        midnight = datetime.combine(day, time())
        for opens, closes in blocks_on(day):
            if midnight + opens * MINUTE <= shown < midnight + closes * MINUTE:
                return True
    return False


class Oracle:
    """Every step of a span of time, asked one by one; steps are as even as the zone's offsets."""

    def __init__(
        self, versions: list[Rules], zone: str, start: datetime, steps: int, step: timedelta
    ) -> None:
        book: dict[date, Blocks] = {}
        with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
            info = ZoneInfo.from_file(file)

        def blocks_on(day: date) -> Blocks:
            if day not in book:
                book[day] = blocks_of(versions, day)
            return book[day]

        self.start, self.step, self.end = start, step, start + steps * step
        self.open = [is_open(blocks_on, info, start + index * step) for index in range(steps)]
        self.used = [0, *accumulate(map(int, self.open))]

    def before(self, at: datetime) -> timedelta:
        """Sum up the open time from the start to an instant."""
        index, rest = divmod(at - self.start, self.step)
        inside = index < len(self.open) and self.open[index]
        return self.used[index] * self.step + (rest if inside else timedelta(0))

    def spans(self) -> list[tuple[datetime, datetime]]:
        """List the runs of open steps."""
        runs, at = [], self.start
        for opened, steps in groupby(self.open):
            then = at + len(list(steps)) * self.step
            runs += [(at, then)] if opened else []
            at = then
        return runs


def dice(*name: object) -> Random:
    """Draw the same for the same name, on every machine."""
    return Random(repr(name))  # noqa: S311 - nothing is secret


def draw_blocks(random: Random) -> Blocks:
    """Draw up to three blocks; the last may go past midnight."""
    grain = random.choice([1, 15, 30, 60])
    edges = sorted(random.sample(range(0, 1440, grain), 2 * random.choice([1, 1, 2, 3])))
    blocks = list(zip(edges[::2], edges[1::2], strict=True))
    match random.randrange(6):
        case 0:
            return [(0, 1440)]
        case 1 | 2 | 3 if blocks[0][0] > 0:
            return [*blocks[:-1], (blocks[-1][0], 1440 + random.randrange(blocks[0][0]))]
        case 4:
            return [*blocks[:-1], (blocks[-1][0], 1440)]
        case _:
            return blocks


def draw_week(random: Random) -> dict[int, Blocks]:
    """Draw a week without a night that runs into a morning."""
    while True:
        week = {day: draw_blocks(random) for day in range(7) if random.random() < 0.8}
        nights = ((day, blocks[-1][1] - 1440) for day, blocks in week.items())
        if week and all(
            night <= week[(day + 1) % 7][0][0] for day, night in nights if (day + 1) % 7 in week
        ):
            return week


def draw_rules(random: Random, near: date) -> list[Rules]:
    """Draw one to three versions whose odd dates lie near a date."""
    offsets = sorted(random.sample(range(-6, 7), random.choice([0, 0, 1, 2])))
    drawn = []
    for since in (date(1, 1, 1), *(near + offset * DAY for offset in offsets)):
        around = [near + offset * DAY for offset in range(-9, 10) if near + offset * DAY >= since]
        drawn.append(
            Rules(
                since,
                draw_week(random),
                random.choice([[], ["DE"], ["US"], ["IE", "CH"]]),
                random.sample(around, min(len(around), random.randrange(3))),
                {day: draw_blocks(random) for day in random.sample(around, random.randrange(3))},
            )
        )
    return drawn


def text_of(blocks: Blocks) -> list[str]:
    """Write blocks as an author would."""

    def clock(minute: int, *, closing: bool = False) -> str:
        minute -= 1440 if closing and minute > 1440 else 0
        return f"{minute // 60:02}:{minute % 60:02}"

    return [f"{clock(opens)}-{clock(closes, closing=True)}" for opens, closes in blocks]


def calendar_of(versions: list[Rules], zone: str) -> Calendar:
    """Give the same rules to the engine, by its data form."""
    entries = [
        {
            "effective_from": rules.since.isoformat(),
            "hours": {WEEKDAYS[day]: text_of(blocks) for day, blocks in rules.week.items()},
            "holidays": rules.regions,
            "closed": [str(day) for day in rules.closed],
            "half_days": {str(day): text_of(blocks) for day, blocks in rules.half_days.items()},
        }
        for rules in versions
    ]
    first = {key: value for key, value in entries[0].items() if key != "effective_from"}
    spec = CalendarSpec.model_validate({"zone": zone, "versions": entries[1:], **first})
    return CalendarSpec.model_validate_json(spec.model_dump_json()).bound(zone="UTC")


def draw_place(random: Random) -> tuple[str, datetime]:
    """Draw a zone and an instant, mostly one at which its clocks change."""
    if random.random() < 0.5:
        zone, year, month, day = random.choice(NASTY)
        return zone, datetime(year, month, day, tzinfo=UTC)
    zone = random.choice(sorted(zone_names()))
    start = datetime(random.randrange(1973, 2070), 1, 1, tzinfo=UTC)
    changes = offset_changes(zone, start, start + 366 * DAY)
    if changes and random.random() < 0.8:
        return zone, random.choice(changes).at.replace(hour=0, minute=0)
    return zone, start + random.randrange(366) * DAY


def draw_instants(random: Random, oracle: Oracle) -> Iterator[datetime]:
    """Draw instants without end: at the edges of spans, a microsecond beside, or anywhere."""
    edges = [edge for span in oracle.spans() for edge in span] or [oracle.start]
    length = (oracle.end - oracle.start) // US
    while True:
        drawn = random.random()
        at = random.choice(edges) + random.choice([-US, timedelta(0), US])
        if drawn < 0.2 and oracle.start <= at <= oracle.end:
            yield at
        else:
            yield oracle.start + random.randrange(length) * US


def compare(calendar: Calendar, oracle: Oracle, random: Random, cases: Counter[str]) -> None:
    """Hold the engine's three operations beside the oracle."""
    spans = calendar.spans(oracle.start, oracle.end)
    assert [tuple(span) for span in spans] == oracle.spans()
    cases["spans"] += 1
    instants = draw_instants(random, oracle)
    for _ in range(CASES_A_CALENDAR):
        start, end = sorted((next(instants), next(instants)))
        used = oracle.before(end) - oracle.before(start)
        assert calendar.business_between(start, end) == used, (start, end)
        due_at = calendar.add_business(start, used)
        assert start <= due_at <= end, (start, used)
        assert oracle.before(due_at) - oracle.before(start) == used, (start, used)
        if used:
            before = oracle.before(due_at - US) - oracle.before(start)
            assert before == used - US, f"{due_at} is not the earliest: {start}, {used}"
    cases["measured"] += CASES_A_CALENDAR
    cases["added"] += CASES_A_CALENDAR


def test_the_engine_agrees_with_the_wall_clock(seed: int, cases: Counter[str]) -> None:
    """An instant is open when the wall clock shows a time within a block of its date."""
    for index in range(CALENDARS_A_SEED):
        random = dice("calendar", seed, index)
        zone, middle = draw_place(random)
        versions = draw_rules(random, middle.date())
        days = random.choice([2, 4, 8])
        start = middle - days // 2 * DAY + random.randrange(1440) * MINUTE
        oracle = Oracle(versions, zone, start, days * 1440, MINUTE)
        compare(calendar_of(versions, zone), oracle, random, cases)


def test_offsets_of_odd_seconds_are_exact(seed: int, cases: Counter[str]) -> None:
    """Where a zone is seconds away from UTC, blocks begin and end at those seconds."""
    random = dice("uneven", seed)
    zone, year, month, day = UNEVEN[seed % len(UNEVEN)]
    middle = datetime(year, month, day, tzinfo=UTC) + random.randrange(86_400) * SECOND
    versions = draw_rules(random, middle.date())
    oracle = Oracle(versions, zone, middle - DAY / 2, 86_400, SECOND)
    compare(calendar_of(versions, zone), oracle, random, cases)


def test_the_laws_hold_over_years(seed: int, cases: Counter[str]) -> None:
    """Time adds up, never runs backwards, is the sum of its spans, and undoes adding."""
    random = dice("laws", seed)
    for _ in range(10):
        zone, middle = draw_place(random)
        calendar = calendar_of(draw_rules(random, middle.date()), zone)
        for _ in range(50):
            a, b, c = sorted(middle + random.randrange(10**14) * US for _ in range(3))
            whole = calendar.business_between(a, c)
            assert calendar.business_between(a, b) + calendar.business_between(b, c) == whole
            assert calendar.business_between(a, b) <= whole <= c - a
            assert calendar.add_business(a, whole) <= c
            assert calendar.business_between(a, calendar.add_business(a, whole)) == whole
        spans = calendar.spans(a, c)
        assert sum((closes - opens for opens, closes in spans), timedelta(0)) == whole
        assert all(early.closes < late.opens for early, late in pairwise(spans))
        cases["laws"] += 50 * 4 + 2


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia"])
def test_always_is_every_instant(zone: str) -> None:
    """Always counts what passes on a stopwatch, wherever the account is."""
    calendar = CalendarSpec(hours="always").bound(zone=zone)
    start = datetime(2011, 12, 29, tzinfo=UTC)
    assert calendar.is_always
    assert calendar.business_between(start, start + 9 * DAY) == 9 * DAY
    assert calendar.add_business(start, 9 * DAY) == start + 9 * DAY
    assert calendar.spans(start, start + 9 * DAY) == ((start, start + 9 * DAY),)
