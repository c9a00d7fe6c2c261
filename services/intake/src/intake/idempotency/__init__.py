"""What all HTTP doors share: requests that wait are received together, and keys replay answers."""

from intake.idempotency.taking import Asking, Keyed, Reception, Write, Written, make_reception
from intake.store.idempotency import Kept, forget_answers

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
