"""Rules for offers and for handing tickets back: data that all routers share."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from shared.events import Absence
from shared.sla.promises import Channel

__all__ = ["Backoff", "Exclusions", "Grace", "OfferRules", "Ring", "rules_of"]

_ROUNDS_MAX: Final = 30
_Seconds = Annotated[FiniteFloat, Field(ge=0, le=86_400)]
_SomeSeconds = Annotated[FiniteFloat, Field(gt=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ring(_Part):
    """The lease of a channel's offers: a share of the time left, between a minimum and a cap.

    After three unanswered offers of a sixth each, (5/6)³ = 0.58 of the time is left.
    """

    cap_s: _SomeSeconds
    share: Annotated[FiniteFloat, Field(gt=0, le=1)] = 1 / 6
    minimum_s: _SomeSeconds = 8

    def lease(self, *, now: datetime, due_at: datetime) -> timedelta:
        """Return how long an offer may stay unanswered."""
        left_s = (due_at - now).total_seconds()
        return timedelta(seconds=max(self.minimum_s, min(self.cap_s, left_s * self.share)))


class Exclusions(_Part):
    """For how many seconds a ticket is not offered to a specialist who did not take or keep it."""

    declined: _Seconds = 600
    silent: _Seconds = 600
    handed_back: _Seconds = 600


class Backoff(_Part):
    """How long a ticket waits before those who did not take it may be offered it again.

    ``first`` seconds, doubled each round, at most ``most``. Others may be offered it meanwhile.
    """

    first: _SomeSeconds = 30
    most: _SomeSeconds = 300

    def ends_at(self, *, now: datetime, rounds: int, last_chance: datetime | None) -> datetime:
        """Return when the wait ends: at ``last_chance`` at the latest, unless that has passed.

        After the wait, specialists who did not take the ticket may be offered it again.
        ``last_chance`` is when the shortest offer must begin, to end when the ticket is due.
        """
        at = now + timedelta(seconds=min(self.most, self.first * 2 ** min(rounds, _ROUNDS_MAX)))
        return at if last_chance is None or last_chance <= now else min(at, last_chance)


class Grace(_Part):
    """For how many seconds an absent specialist keeps an accepted ticket; null: without limit."""

    email: _Seconds | None
    phone: _Seconds | None
    chat: _Seconds | None


class OfferRules(_Part):
    """All rules for offers. A channel without an entry in ``rings`` is assigned directly.

    After ``away_after`` unanswered offers in a row a specialist is set away; null: never.

    ``offline_s`` counts from when a specialist goes offline or their presence lapses,
    ``off_shift_s`` from the end of the shift, which leaves time to finish a started ticket.
    """

    rings: dict[Channel, Ring] = {"phone": Ring(cap_s=30), "chat": Ring(cap_s=20)}
    set_aside_s: Exclusions = Exclusions()
    no_answer_s: Backoff = Backoff()
    away_after: Annotated[int, Field(ge=1, le=100)] | None = 3
    presence_lease_s: _SomeSeconds = 15
    offline_s: Grace = Grace(email=4, phone=0, chat=0)
    off_shift_s: Grace = Grace(email=900, phone=300, chat=0)

    def grace(self, absence: Absence, channel: Channel) -> timedelta | None:
        """Return how long an absent specialist keeps an accepted ticket; None: without limit.

        A specialist who was removed from the roster keeps no ticket.
        """
        if absence == "left":
            return timedelta()
        graces = self.offline_s if absence == "offline" else self.off_shift_s
        seconds = {"email": graces.email, "phone": graces.phone, "chat": graces.chat}[channel]
        return None if seconds is None else timedelta(seconds=seconds)


@lru_cache(1)
def rules_of(document: str | None) -> OfferRules:
    """Parse the stored rules, or return the built-in ones for None; the last result is cached."""
    return OfferRules() if document is None else OfferRules.model_validate_json(document)
