"""Which events of offers that expired are shown as one line."""

from typing import Final

import pytest

from shared.events import (
    OfferAccepted,
    OfferExpired,
    TicketAccepted,
    TicketOffered,
    TicketQueued,
)
from shared.tickets.ringing import group_expired_offers

NAMES: Final = {
    "a": TicketAccepted.type,
    "o": TicketOffered.type,
    "x": OfferExpired.type,
    "q": TicketQueued.type,
    "y": OfferAccepted.type,
}


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ("", ""),
        ("aq", "a q"),
        ("aox", "a o x"),
        ("aoxq", "a o x q"),
        ("aoxo", "a o x o"),
        ("aoxox", "a oxox"),
        ("aoxoxq", "a oxoxq"),
        ("aqoxoxq", "a qoxoxq"),
        ("aoxoxo", "a oxox o"),
        ("aoxoxqo", "a oxoxq o"),
        ("aoxoxoy", "a oxox o y"),
        ("oxoxyoxox", "oxox y oxox"),
        ("oxoxaox", "oxox a o x"),
    ],
)
def test_two_and_more_expired_offers_are_one_line(events: str, lines: str) -> None:
    """One is not; an offer that is open, or was accepted, has a line of its own after them."""
    numbered = list(enumerate(events))
    grouped = list(group_expired_offers(numbered, lambda event: NAMES[event[1]]))
    assert " ".join("".join(letter for _, letter in line) for line in grouped) == lines
    assert all(line == sorted(line) for line in grouped)


def test_the_open_offer_is_the_last_one() -> None:
    """It is taken from the end, and the events before it keep their order."""
    numbered = list(enumerate("oxoxoq"))
    grouped = list(group_expired_offers(numbered, lambda event: NAMES[event[1]]))
    assert [[number for number, _ in line] for line in grouped] == [[0, 1, 2, 3, 5], [4]]
