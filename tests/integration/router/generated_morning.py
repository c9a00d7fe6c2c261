"""A generated morning: tickets, and a team that is too small for them."""

from collections.abc import Iterator
from random import Random
from typing import Final

from shared.events import (
    CustomerReached,
    Envelope,
    Event,
    Presence,
    TicketClosed,
    TicketReopened,
    TicketResponded,
)
from shared.sla.promises import Channel, Role
from shared.testing.builders import a_fact, a_specialist, a_ticket, reclassified, removed

__all__ = ["a_morning", "channel_of", "dice_of"]

_ROLES: Final[tuple[Role, ...]] = ("super_admin", "seat")
_PRESENCES: Final[tuple[Presence, ...]] = ("online", "online", "online", "away")


def dice_of(seed: int) -> Random:
    """Return a random generator that repeats its numbers for a seed."""
    return Random(seed)  # noqa: S311 - the same for every run


def channel_of(number: int) -> Channel:
    """Return a channel in turn, half of them e-mail."""
    channels: tuple[Channel, ...] = ("email", "email", "phone", "chat")
    return channels[number % len(channels)]


def a_morning(dice: Random) -> list[Envelope[Event]]:
    """Return the events of 200 tickets and of six specialists who change all the time."""
    placed = [*_requests(dice), *_shifts(dice)]
    return [record for _, record in sorted(placed, key=lambda pair: pair[0])]


def _requests(dice: Random) -> Iterator[tuple[float, Envelope[Event]]]:
    for n in range(200):
        yield (
            n,
            a_ticket(
                f"T{n}",
                channel=channel_of(n),
                language=dice.choice(["en", "en", "de", "fr-CA", "ja"]),
                role=dice.choice(_ROLES),
                account_id=f"account-{dice.randrange(20)}",
                after_min=n,
            ),
        )
        end = dice.choice([TicketResponded, CustomerReached, TicketClosed])
        yield n + dice.randrange(60), a_fact(end, f"T{n}", after_min=n + 60)
        if n % 9 == 0:
            yield n + 5, reclassified(f"T{n}", "business_critical", after_min=n + 1)
        if n % 11 == 0:
            yield n + 70, a_fact(TicketReopened, f"T{n}", after_min=n + 90)


def _shifts(dice: Random) -> Iterator[tuple[float, Envelope[Event]]]:
    for n in range(0, 200, 4):
        who = f"s{n % 6}"
        if dice.random() < 0.1:
            yield n, removed(who, after_min=n)
            continue
        yield (
            n,
            a_specialist(
                who,
                languages=dice.choice([("en",), ("de", "en"), ("fr",)]),
                capacity={"email": dice.randrange(5), "phone": 2, "chat": 2},
                presence=dice.choice(_PRESENCES),
                after_min=n,
            ),
        )
