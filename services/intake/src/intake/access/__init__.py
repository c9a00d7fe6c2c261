"""Who may use intake's HTTP door, for what: the scopes, and the sources that a tenant owns."""

from intake.access.holders import Confidant, Eraser, Reader, Writer, check_source
from intake.access.store import sources_of

__all__ = ["Confidant", "Eraser", "Reader", "Writer", "check_source", "sources_of"]
