"""Who may use intake's HTTP door, for what, and how fast."""

from intake.access.desk import Access
from intake.access.guard import Confidant, Eraser, Guard, Reader, Writer, check_source
from intake.access.keys import Key

__all__ = ["Access", "Confidant", "Eraser", "Guard", "Key", "Reader", "Writer", "check_source"]
