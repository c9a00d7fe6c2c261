"""Who may use intake's HTTP door, for what, and how fast."""

from intake.access.desk import Access
from intake.access.guard import Guard, Reader, Writer, check_source

__all__ = ["Access", "Guard", "Reader", "Writer", "check_source"]
