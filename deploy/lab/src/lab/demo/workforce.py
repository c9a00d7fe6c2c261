"""The workforce system of the play: lists the roster, sends people to lunch, tidies up after.

Who sits at a desk of their own says by the inbox whether they are there: their word is made to last
as long as time is played fast.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

from lab.demo.doors import Doors
from lab.demo.script import accounts, roster
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
"""Where an hour passes in the blink of an eye, it takes hours to pick up."""
_PRESENCE_LEASE_S: Final = 24 * 3600
"""As above: an open inbox says every few seconds, of real time, that its owner is there."""


@dataclass(slots=True)
class Workforce:
    """Publishes who is there. Facts about people are dated in real time, by ``now``.

    So that a roster which somebody applies before or after the play is told apart from the play's.
    """

    doors: Doors
    now: Callable[[], datetime]
    _before: dict[str, SpecialistListed] = field(default_factory=dict)
    _rules: dict[str, Any] = field(default_factory=dict)
    _opened: bool = False

    def hear(self, event: Event) -> None:
        """Remember who was listed before the play began."""
        if self._opened:
            return
        if isinstance(event, SpecialistListed):
            self._before[event.specialist_id] = event
        elif isinstance(event, SpecialistRemoved):
            self._before.pop(event.specialist_id, None)

    async def open(self) -> None:
        """List the accounts, and everybody on the example roster; let it ring slowly."""
        self._rules = await self.doors.rules()
        slow = {"rings": _RINGS, "presence_lease_s": _PRESENCE_LEASE_S}
        await self.doors.ring_by({**self._rules, **slow})
        self._opened = True
        for account in accounts():
            await self._announce(account)
        for specialist in roster():
            await self._announce(specialist)

    async def change(self, specialist_id: str, presence: Presence) -> None:
        """Let somebody go away, or come back."""
        specialist = next(s for s in roster() if s.specialist_id == specialist_id)
        await self._announce(specialist.model_copy(update={"presence": presence}))

    async def close(self) -> None:
        """Leave the roster, and how it rings, as they were found."""
        if self._opened:
            await self.doors.ring_by(self._rules)
        for specialist in roster() if self._opened else ():
            name = specialist.specialist_id
            before = self._before.get(name)
            await self._announce(before or SpecialistRemoved(specialist_id=name))

    async def _announce(self, event: AccountListed | SpecialistListed | SpecialistRemoved) -> None:
        at = self.now()
        cause = uuid5(NAMESPACE, f"{_SOURCE}/{event.subject}/{at.isoformat()}")
        await self.doors.announce(Envelope.caused_by(cause, event, source=_SOURCE, time=at))
