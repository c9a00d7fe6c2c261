"""An offer: a ticket rings at a specialist until it is settled, once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

__all__ = ["Offer", "OfferState"]

type OfferState = Literal["open", "accepted", "declined", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Offer:
    """While it is open it holds room, as if the specialist had the ticket."""

    offer_id: UUID
    ticket_id: UUID
    specialist_id: str
    offered_at: datetime
    lease_ends_at: datetime
    state: OfferState = "open"
    settled_at: datetime | None = None
