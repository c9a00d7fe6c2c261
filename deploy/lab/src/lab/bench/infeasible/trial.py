"""The ground of the bench: router with many who wait, a roster that changes, and an ear."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Final
from uuid import uuid4

import asyncpg

from devstack.stack import Stack
from lab.bench.ear import listening
from lab.bench.measures import pause
from premium.errors import CommandError
from premium.listings import listing
from shared.basics.clock import elapsed_s
from shared.events import (
    AssignmentFact,
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAccepted,
    ticket_id_of,
)
from shared.platform.publisher import Publisher
from shared.sla.policies import RequestTraits, default_policy

__all__ = ["Ground", "Heard", "ground"]

_RARE, _COMMON = "ja", "de"
_BATCH: Final = 2_000
_SILENT_S: Final = 5
_STUCK_S: Final = 120
_LOOK_S: Final = 0.05
_NOW: Final = "SELECT premium_now()"
_WAITING: Final = "SELECT count(*) FROM ticket WHERE waiting"


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from the change to the first fact that follows from it, and to the last."""

    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Ground:
    """Router, with tickets that wait for who is on shift and away."""

    bootstrap: str
    publisher: Publisher
    connection: asyncpg.Connection
    affected: Sequence[bytes]

    async def removed(self) -> Heard:
        """Take the only speaker of the rare language off the roster."""
        return await self._after(SpecialistRemoved(specialist_id="rare"), self.affected)

    async def listed(self) -> Heard:
        """Put them back."""
        return await self._after(_specialist("rare", _RARE), self.affected)

    async def queued(self) -> Heard:
        """Accept one ticket more, and hear that it waits: the way without a look at who waits."""
        at = await self._now()
        (ticket,) = _tickets(uuid4().hex, at, 1, _COMMON)
        return await self._after(ticket.event, [ticket.event.subject.encode()])

    async def fill(self, opened: int) -> None:
        """Let so many wait, beside those who are affected."""
        at = await self._now()
        people = (_specialist("rare", _RARE), _specialist("common", _COMMON))
        await self.publisher.publish(listing(_told(person, at)) for person in people)
        rare = _tickets("rare", at, len(self.affected), _RARE)
        common = _tickets("common", at, opened - len(self.affected), _COMMON)
        for batch in batched((*rare, *common), _BATCH):
            await self.publisher.publish(map(listing, batch))
        since_s = elapsed_s()
        while (found := await self.connection.fetchval(_WAITING)) != opened:
            if elapsed_s(since_s) > _STUCK_S:
                raise CommandError(f"{found} of {opened} tickets wait after {_STUCK_S} s")
            await pause(_LOOK_S)

    async def _after(self, event: Event, keys: Sequence[bytes]) -> Heard:
        async with listening(self.bootstrap, AssignmentFact.topic) as ear:
            at = await self._now()
            since_s = elapsed_s()
            await self.publisher.publish([listing(_told(event, at))])
            arrivals = await ear.hear(keys, silent_s=_SILENT_S)
        if len(arrivals) < len(keys):
            raise CommandError(f"{len(arrivals)} of {len(keys)} facts were heard")
        heard_s = [arrival.heard_s - since_s for arrival in arrivals.values()]
        return Heard(min(heard_s), max(heard_s))

    async def _now(self) -> datetime:
        moment: datetime = await self.connection.fetchval(_NOW)
        return moment


@asynccontextmanager
async def ground(stack: Stack, affected: int) -> AsyncIterator[Ground]:
    """Connect to a stack with a router."""
    where = stack.addresses
    publisher = Publisher(where.kafka_bootstrap, service="bench")
    connection = await asyncpg.connect(where.dsn("router", owner=True))
    names = (ticket_id_of("bench", f"rare-{number}") for number in range(affected))
    keys = [str(ticket_id).encode() for ticket_id in names]
    try:
        yield Ground(where.kafka_bootstrap, publisher, connection, keys)
    finally:
        await connection.close()
        await publisher.stop()


def _specialist(name: str, language: str) -> SpecialistListed:
    """List somebody who is on shift, and away: they could come, so nothing is infeasible."""
    return SpecialistListed(
        specialist_id=name,
        name=name,
        mail=f"{name}@premium.example",
        languages=(language,),
        capacity={"email": 1},
        presence="away",
    )


def _tickets(run: str, at: datetime, count: int, language: str) -> Iterator[Envelope[Event]]:
    """Accept tickets a millisecond apart: by email, from super admins, due an hour later."""
    for number in range(count):
        create_date = at + number * timedelta(milliseconds=1)
        asked = RequestTraits("super_admin", "email", "standard", language, "UTC")
        event = TicketAccepted(
            ticket_id=ticket_id_of("bench", f"{run}-{number}"),
            source="bench",
            external_id=f"{run}-{number}",
            account_id="bench",
            requester_id="",
            role="super_admin",
            channel="email",
            severity="standard",
            claimed_severity="standard",
            language=language,
            time_zone="UTC",
            policy=default_policy().version,
            promises=default_policy().price(asked, create_date).promises,
        )
        yield _told(event, create_date)


def _told(event: Event, at: datetime) -> Envelope[Event]:
    return Envelope.caused_by(uuid4(), event, source="bench", time=at)
