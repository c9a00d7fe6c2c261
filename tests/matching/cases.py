"""Small days by lot: a roster, and tickets that come faster, at times, than it can work."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from router.domain.matching import MatchingRules, default_rules
from router.domain.specialist import Specialist, listed_specialist
from router.domain.ticket import Ticket
from shared.events import Envelope, Event, Need, SpecialistListed
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes

__all__ = ["PERIOD_MIN", "RULES", "Case", "draw", "needs_of", "qualifies"]

PERIOD_MIN: Final = 10
"""Whoever is given a ticket works on it until the next period begins."""
PERIODS: Final = 12
RULES: Final[MatchingRules] = default_rules()
_LANGUAGES: Final = ("en", "de", "fr", "ja")
_CHANNELS: Final[tuple[Channel, ...]] = ("email", "email", "email", "phone", "chat")


@dataclass(frozen=True, slots=True)
class Case:
    """Who is there all day, and what comes when."""

    team: Sequence[Envelope[Event]]
    tickets: Sequence[Envelope[Event]]

    @property
    def people(self) -> list[Specialist]:
        """The team as the roster knows it."""
        events = (envelope.event for envelope in self.team)
        return [
            listed_specialist(event, NOON)
            for event in events
            if isinstance(event, SpecialistListed)
        ]


def draw(seed: int) -> Case:
    """Draw a day; the same for the same seed."""
    dice = Random(seed)  # noqa: S311 - the same for every run
    team = [_random_specialist(f"s{n}", dice) for n in range(dice.randint(2, 7))]
    busy = dice.uniform(0.4, 1.3) * 1.6 * len(team)
    tickets = [
        _request(f"T{period}-{number}", dice, period * PERIOD_MIN)
        for period in range(PERIODS)
        for number in range(_poisson(busy, dice))
    ]
    return Case(team, tickets)


def needs_of(ticket: Ticket, at_min: int, people: Sequence[Specialist]) -> tuple[Need, ...]:
    """Say what is enough for a ticket at a time, by the rules as docs/matching.md has them."""
    pool = ticket.update_queue_place(RULES, NOON + minutes(at_min))
    every = RULES.all_needs(pool.channel, pool.language, pool.skills)
    step = pool.step
    while step < len(every) - 2 and not any(
        qualifies(one, ticket, every[: step + 1]) for one in people
    ):
        step += 1
    return every[: step + 1]


def qualifies(one: Specialist, ticket: Ticket, needs: Sequence[Need]) -> bool:
    """Tell whether somebody is good enough."""
    return ticket.terms.channel in one.serves and any(
        need.language is None or one.speaks.get(need.language, 0) >= need.level for need in needs
    )


def _random_specialist(name: str, dice: Random) -> Envelope[Event]:
    spoken = sorted({"en", *dice.choices(_LANGUAGES, k=dice.randint(0, 2))})
    if dice.random() < 0.15:
        spoken = [dice.choice(_LANGUAGES[1:])]
    capacity: dict[Channel, int] = {"email": dice.randint(1, 2)}
    for channel in ("phone", "chat"):
        if dice.random() < 0.5:
            capacity[channel] = 1
    levels = {language: dice.choice((2, 3, 4, 5, 5)) for language in spoken}
    return a_specialist(name, languages=tuple(spoken), levels=levels, capacity=capacity)


def _request(name: str, dice: Random, after_min: int) -> Envelope[Event]:
    return a_ticket(
        name,
        channel=dice.choice(_CHANNELS),
        language=dice.choice(("en", "en", "en", "de", "fr", "ja")),
        account_id=f"account-{dice.randrange(8)}",
        severity=dice.choice(("standard", "standard", "business_critical")),
        after_min=after_min,
    )


def _poisson(mean: float, dice: Random) -> int:
    count, left = 0, dice.expovariate(1)
    while left < mean:
        count, left = count + 1, left + dice.expovariate(1)
    return count
