"""Group offers that expired, so that a history that shows them stays short."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final

from shared.events import OfferExpired, TicketOffered, TicketQueued

__all__ = ["group_expired_offers"]

_RINGING: Final = frozenset({TicketOffered.type, OfferExpired.type, TicketQueued.type})


def group_expired_offers[T](items: Iterable[T], kind: Callable[[T], str]) -> Iterator[list[T]]:
    """Put a run of offers, of which two or more expired, into one list; other items one by one.

    ``kind`` returns the event type of an item. The last offer of a run, if it has not expired, gets
    its own list after the run.
    """
    for ringing, items_of in groupby(items, key=lambda item: kind(item) in _RINGING):
        run = [*items_of]
        yield from _parted(run, kind) if ringing else ([item] for item in run)


def _parted[T](run: list[T], kind: Callable[[T], str]) -> Iterator[list[T]]:
    kinds = [kind(item) for item in run]
    expired, offered = kinds.count(OfferExpired.type), kinds.count(TicketOffered.type)
    if expired < 2:  # noqa: PLR2004 - a repetition
        yield from ([item] for item in run)
        return
    rings_on = []
    if offered > expired:
        last = len(kinds) - 1 - kinds[::-1].index(TicketOffered.type)
        rings_on = [[run.pop(last)]]
    yield run
    yield from rings_on
