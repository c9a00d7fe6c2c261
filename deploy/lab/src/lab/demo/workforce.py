"""The demo's workforce system: publishes its roster, changes presences, restores the roster.

People who use the inbox report their presence there. The lease of a presence is made longer,
because business time runs fast.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

from lab.demo.clients import Clients
from lab.demo.content import accounts, roster
from shared.events import (
    NAMESPACE,
    AccountListed,
    Envelope,
    Event,
    Presence,
    SpecialistListed,
    SpecialistRemoved,
)

__all__ = ["Workforce"]

_SOURCE: Final = "premium-demo"
_RINGS: Final = {
    channel: {"cap_s": 6 * 3600, "minimum_s": 6 * 3600} for channel in ("phone", "chat")
}
"""Leases in business time, of which hours pass within seconds."""
_PRESENCE_LEASE_S: Final = 24 * 3600
"""As above: an open inbox reports a presence only every few seconds of real time."""


@dataclass(slots=True)
class Workforce:
    """Publishes the roster and presences.

    The events have real times, from ``now``, not business times: so a roster that is imported
    before or after the demo is older or newer than the demo's.
    """

    clients: Clients
    now: Callable[[], datetime]
    _before: dict[str, SpecialistListed] = field(default_factory=dict)
    _rules: dict[str, Any] = field(default_factory=dict)
    _opened: bool = False

    def on_event(self, event: Event) -> None:
        """Record the roster before the simulation."""
        if self._opened:
            return
        if isinstance(event, SpecialistListed):
            self._before[event.specialist_id] = event
        elif isinstance(event, SpecialistRemoved):
            self._before.pop(event.specialist_id, None)

    async def open(self) -> None:
        """Publish accounts and the example roster, and lengthen leases."""
        self._rules = await self.clients.rules()
        slow = {"rings": _RINGS, "presence_lease_s": _PRESENCE_LEASE_S}
        await self.clients.set_rules({**self._rules, **slow})
        self._opened = True
        for account in accounts():
            await self._announce(account)
        for specialist in roster():
            await self._announce(specialist)

    async def change(self, specialist_id: str, presence: Presence) -> None:
        """Publish a specialist's presence."""
        specialist = next(s for s in roster() if s.specialist_id == specialist_id)
        await self._announce(specialist.model_copy(update={"presence": presence}))

    async def close(self) -> None:
        """Restore the roster and the offer rules."""
        if self._opened:
            await self.clients.set_rules(self._rules)
        for specialist in roster() if self._opened else ():
            name = specialist.specialist_id
            before = self._before.get(name)
            await self._announce(before or SpecialistRemoved(specialist_id=name))

    async def _announce(self, event: AccountListed | SpecialistListed | SpecialistRemoved) -> None:
        at = self.now()
        cause = uuid5(NAMESPACE, f"{_SOURCE}/{event.subject}/{at.isoformat()}")
        await self.clients.announce(Envelope.caused_by(cause, event, source=_SOURCE, time=at))
