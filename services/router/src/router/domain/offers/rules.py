"""How offers ring and when tickets are handed back: rules as data, the same for all routers."""

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
    """How a channel's tickets ring: for a share of the time left, at least and at most so long.

    A sixth leaves more than half of any budget after three who say nothing: (5/6)³ = 0.58.
    """

    cap_s: _SomeSeconds
    share: Annotated[FiniteFloat, Field(gt=0, le=1)] = 1 / 6
    minimum_s: _SomeSeconds = 8

    def lease(self, *, now: datetime, due_at: datetime) -> timedelta:
        """Say how long somebody may think about it."""
        left_s = (due_at - now).total_seconds()
        return timedelta(seconds=max(self.minimum_s, min(self.cap_s, left_s * self.share)))


class Exclusions(_Part):
    """For how long a ticket passes over who declined it, let it ring, or handed it back."""

    declined: _Seconds = 600
    silent: _Seconds = 600
    handed_back: _Seconds = 600


class Backoff(_Part):
    """How long a ticket waits that nobody took: ``first`` seconds, each time twice as long.

    At most ``most``. Whoever did not let it ring is offered it at once meanwhile.
    """

    first: _SomeSeconds = 30
    most: _SomeSeconds = 300

    def ends_at(self, *, now: datetime, rounds: int, last_chance: datetime | None) -> datetime:
        """Say when it rings again after so many rounds; by ``last_chance``, if that is to come."""
        at = now + timedelta(seconds=min(self.most, self.first * 2 ** min(rounds, _ROUNDS_MAX)))
        return at if last_chance is None or last_chance <= now else min(at, last_chance)


class Grace(_Part):
    """How long an accepted ticket stays with somebody who has gone; null: until they say so."""

    email: _Seconds | None
    phone: _Seconds | None
    chat: _Seconds | None


class OfferRules(_Part):
    """All of them. A channel without an entry in ``rings`` is assigned directly.

    ``away_after`` so many unanswered offers in a row a specialist is away; null: never.

    ``offline`` counts from when somebody went, or their lease of presence ended; ``off_shift``
    from the end of the shift, which leaves time to finish what was begun.
    """

    rings: dict[Channel, Ring] = {"phone": Ring(cap_s=30), "chat": Ring(cap_s=20)}
    set_aside_s: Exclusions = Exclusions()
    no_answer_s: Backoff = Backoff()
    away_after: Annotated[int, Field(ge=1, le=100)] | None = 3
    presence_lease_s: _SomeSeconds = 15
    offline_s: Grace = Grace(email=4, phone=0, chat=0)
    off_shift_s: Grace = Grace(email=900, phone=300, chat=0)

    def grace(self, absence: Absence, channel: Channel) -> timedelta | None:
        """Say how long an accepted ticket stays; None: for good."""
        if absence == "left":
            return timedelta()
        graces = self.offline_s if absence == "offline" else self.off_shift_s
        seconds = {"email": graces.email, "phone": graces.phone, "chat": graces.chat}[channel]
        return None if seconds is None else timedelta(seconds=seconds)


@lru_cache(1)
def rules_of(document: str | None) -> OfferRules:
    """Read the rules in force, where some were put in force: once, not for every decision."""
    return OfferRules() if document is None else OfferRules.model_validate_json(document)
