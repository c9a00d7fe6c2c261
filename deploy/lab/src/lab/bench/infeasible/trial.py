"""The measured system: router with many waiting tickets, and a roster that changes."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Final
from uuid import uuid4

import asyncpg

from devstack.stack import Stack
from lab.bench.measures import pause
from lab.bench.topic_listener import listen_to
from premium.errors import CommandError
from premium.topics import compacted_record
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

__all__ = ["Received", "Testbed", "testbed"]

_RARE, _COMMON = "ja", "de"
_BATCH: Final = 2_000
_IDLE_S_MAX: Final = 5
_WAIT_S_MAX: Final = 120
_POLL_S: Final = 0.05
_NOW: Final = "SELECT premium_now()"
_WAITING: Final = "SELECT count(*) FROM ticket WHERE waiting"


@dataclass(frozen=True, slots=True)
class Received:
    """Seconds from a change to the first and to the last fact that follows from it."""

    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Testbed:
    """Router, with tickets that wait for specialists who are on shift and away."""

    bootstrap: str
    publisher: Publisher
    connection: asyncpg.Connection
    affected: Sequence[bytes]

    async def removed(self) -> Received:
        """Remove the only speaker of the rare language from the roster."""
        return await self._after(SpecialistRemoved(specialist_id="rare"), self.affected)

    async def listed(self) -> Received:
        """List that specialist again."""
        return await self._after(_specialist("rare", _RARE), self.affected)

    async def queued(self) -> Received:
        """Accept one more ticket, and wait for the fact that it waits."""
        at = await self._now()
        (ticket,) = _tickets(uuid4().hex, at, 1, _COMMON)
        return await self._after(ticket.event, [ticket.event.subject.encode()])

    async def fill(self, opened: int) -> None:
        """Accept tickets until ``opened`` wait; some of these are in the rare language."""
        at = await self._now()
        people = (_specialist("rare", _RARE), _specialist("common", _COMMON))
        await self.publisher.publish(compacted_record(_envelope(person, at)) for person in people)
        rare = _tickets("rare", at, len(self.affected), _RARE)
        common = _tickets("common", at, opened - len(self.affected), _COMMON)
        for batch in batched((*rare, *common), _BATCH):
            await self.publisher.publish(map(compacted_record, batch))
        since_s = elapsed_s()
        while (found := await self.connection.fetchval(_WAITING)) != opened:
            if elapsed_s(since_s) > _WAIT_S_MAX:
                raise CommandError(f"{found} of {opened} tickets wait after {_WAIT_S_MAX} s")
            await pause(_POLL_S)

    async def _after(self, event: Event, keys: Sequence[bytes]) -> Received:
        async with listen_to(self.bootstrap, AssignmentFact.topic) as listener:
            at = await self._now()
            since_s = elapsed_s()
            await self.publisher.publish([compacted_record(_envelope(event, at))])
            arrivals = await listener.wait_for(keys, idle_s=_IDLE_S_MAX)
        if len(arrivals) < len(keys):
            raise CommandError(f"{len(arrivals)} of {len(keys)} facts were received")
        received_s = [arrival.received_s - since_s for arrival in arrivals.values()]
        return Received(min(received_s), max(received_s))

    async def _now(self) -> datetime:
        moment: datetime = await self.connection.fetchval(_NOW)
        return moment


@asynccontextmanager
async def testbed(stack: Stack, affected: int) -> AsyncIterator[Testbed]:
    """Connect to a stack with a router."""
    where = stack.addresses
    publisher = Publisher(where.kafka_bootstrap, service="bench")
    connection = await asyncpg.connect(where.dsn("router", owner=True))
    names = (ticket_id_of("bench", f"rare-{number}") for number in range(affected))
    keys = [str(ticket_id).encode() for ticket_id in names]
    try:
        yield Testbed(where.kafka_bootstrap, publisher, connection, keys)
    finally:
        await connection.close()
        await publisher.stop()


def _specialist(name: str, language: str) -> SpecialistListed:
    """Make the listing of a specialist who is away, but on shift, so that promises are feasible."""
    return SpecialistListed(
        specialist_id=name,
        name=name,
        mail=f"{name}@premium.example",
        languages=(language,),
        capacity={"email": 1},
        presence="away",
    )


def _tickets(run: str, at: datetime, count: int, language: str) -> Iterator[Envelope[Event]]:
    """Make accepted tickets a millisecond apart: by email, of super admins, due an hour later."""
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
        yield _envelope(event, create_date)


def _envelope(event: Event, at: datetime) -> Envelope[Event]:
    return Envelope.caused_by(uuid4(), event, source="bench", time=at)
