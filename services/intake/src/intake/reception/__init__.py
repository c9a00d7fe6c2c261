"""What all HTTP doors share: requests that wait are received together, and keys replay answers."""

from intake.reception.store import Kept, forget_answers
from intake.reception.taking import Asking, Keyed, Reception, Write, Written, make_reception

__all__ = [
    "Asking",
    "Kept",
    "Keyed",
    "Reception",
    "Write",
    "Written",
    "forget_answers",
    "make_reception",
]
