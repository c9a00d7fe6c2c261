"""Who works when, and how well they speak what: what a roster says, as pure functions."""

from shared.rosters.languages import HIGHEST, Level, known_language
from shared.rosters.shifts import (
    Leave,
    Shifts,
    ShiftStatus,
    any_on_shift,
    next_shift_at,
    on_shift,
    shift_ends_at,
    shift_status,
)

__all__ = [
    "HIGHEST",
    "Leave",
    "Level",
    "ShiftStatus",
    "Shifts",
    "any_on_shift",
    "known_language",
    "next_shift_at",
    "on_shift",
    "shift_ends_at",
    "shift_status",
]
