"""Parses hours of a calendar: weekdays and blocks, into minutes."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from re import compile as pattern

__all__ = [
    "DAY_MIN",
    "WEEKDAYS",
    "Block",
    "Blocks",
    "days_of",
    "read_block",
    "read_day",
    "read_week",
]

type Block = tuple[int, int]
"""Start and end in minutes of wall time from 00:00 of its date; past 24:00 on the next date."""
type Blocks = tuple[Block, ...]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60

_BLOCK = pattern(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


def read_block(text: str) -> Block:
    """Parse 09:00-17:00; 22:00-02:00 ends on the next day, 00:00-24:00 is a whole day."""
    if not (found := _BLOCK.fullmatch(text)):
        raise ValueError(f"'{text}' is no block; write it like 09:00-17:00, in 24 hours")
    numbers = [int(number) for number in found.groups() if number is not None]
    opens, closes = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if opens == closes:
        raise ValueError(f"block {text} has no length; a whole day is 00:00-24:00")
    return opens, closes if closes > opens else closes + DAY_MIN


def read_day(texts: Iterable[str]) -> Blocks:
    """Parse the blocks of one day, in order. Raises ValueError if two overlap."""
    blocks = sorted(map(read_block, texts))
    for earlier, later in pairwise(blocks):
        if earlier[1] > later[0]:
            both = f"{_written(earlier)} and {_written(later)}"
            raise ValueError(f"blocks {both} overlap; merge them or separate them")
    return tuple(blocks)


def days_of(key: str) -> tuple[int, ...]:
    """Parse mon, mon-fri or sat,sun into numbers, 0 for Monday; fri-mon includes the weekend."""
    days: list[int] = []
    for part in key.split(","):
        first, _, last = part.partition("-")
        begin, end = _weekday(first), _weekday(last or first)
        days += [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
    return tuple(days)


def read_week(hours: Mapping[str, Iterable[str]]) -> tuple[Blocks, ...]:
    """Parse a week, from Monday on. Raises ValueError with the day, the fault and the remedy."""
    week: dict[int, Blocks] = {}
    for key, texts in hours.items():
        for day in days_of(key):
            if day in week:
                raise ValueError(
                    f"{WEEKDAYS[day]} is named twice; give each day one list of blocks"
                )
            week[day] = read_day(texts)
    if not any(week.values()):
        raise ValueError("hours hold no block, so nothing would ever be open; give one day a block")
    _refuse_nights_into_mornings(week)
    return tuple(week.get(day, ()) for day in range(7))


def _refuse_nights_into_mornings(week: Mapping[int, Blocks]) -> None:
    for day, blocks in week.items():
        after = (day + 1) % 7
        if blocks and week.get(after) and blocks[-1][1] - DAY_MIN > week[after][0][0]:
            night = f"{WEEKDAYS[day]}'s block {_written(blocks[-1])}"
            morning = f"{WEEKDAYS[after]}'s {_written(week[after][0])}"
            raise ValueError(f"{night} runs past midnight into {morning}; end it where that begins")


def _weekday(text: str) -> int:
    name = text.strip().lower()
    if name in WEEKDAYS:
        return WEEKDAYS.index(name)
    near = get_close_matches(name[:3], WEEKDAYS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"write one of {', '.join(WEEKDAYS)}"
    raise ValueError(f"unknown weekday '{text.strip()}'; {hint}")


def _written(block: Block) -> str:
    opens, closes = block
    closes -= DAY_MIN if closes > DAY_MIN else 0
    return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"
