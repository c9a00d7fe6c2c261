"""An offer: a ticket rings at one specialist until the offer is settled."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

__all__ = ["Offer", "OfferState"]

type OfferState = Literal["open", "accepted", "declined", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer of a ticket to a specialist; while open it counts in their load."""

    offer_id: UUID
    ticket_id: UUID
    specialist_id: str
    offered_at: datetime
    lease_ends_at: datetime
    state: OfferState = "open"
    settled_at: datetime | None = None
