"""Who works when, and how well they speak what: what a roster says, as pure functions."""

from shared.rosters.languages import HIGHEST, Level, known_language
from shared.rosters.shifts import (
    Leave,
    Shifts,
    Turn,
    covered,
    next_shift_at,
    on_shift,
    shift_ends_at,
    turn,
)

__all__ = [
    "HIGHEST",
    "Leave",
    "Level",
    "Shifts",
    "Turn",
    "covered",
    "known_language",
    "next_shift_at",
    "on_shift",
    "shift_ends_at",
    "turn",
]
