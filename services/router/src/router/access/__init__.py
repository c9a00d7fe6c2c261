"""Who may use router's HTTP door, for what: the scopes, and for whom a tenant speaks."""

from router.access.holders import Actor, Holder, Lead, Reader, check_specialist
from router.access.store import specialists_of

__all__ = ["Actor", "Holder", "Lead", "Reader", "check_specialist", "specialists_of"]
