"""Measures matching alone, without Kafka, for `premium bench-match`.

    python -m router.matching_benchmark '{"singles": 1000, "batches": 40, "newcomers": 50}'

The benchmark has assigned tickets before. Each measured answer frees room for a waiting ticket. The
result goes to standard output as JSON, in seconds and bytes.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import md5
from itertools import count, islice
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from typing import Final, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from router.service.roster_cache import collect_garbage_less_often
from router.service.routing import RoutingService
from router.settings import Settings
from shared.basics.clock import elapsed_s
from shared.events import Envelope, Event, SpecialistListed, TicketResponded
from shared.platform import processed_events
from shared.platform.postgres import Database, now
from shared.platform.settings import load

_BATCH: Final = 500
_STATM: Final = Path("/proc/self/statm")


class Counts(NamedTuple):
    """Numbers of transactions: with one answer, with a batch of them, with a new specialist."""

    singles: int
    batches: int
    newcomers: int


async def _main(counts: Counts) -> None:
    collect_garbage_less_often()
    settings = load(Settings)
    db = Database(settings.dsn.get_secret_value(), service="router timing", connections_max=2)
    await db.start()
    routing = RoutingService(settings.rules)
    async with db.session() as session:
        at = await now(session)
    responses = _responses(at)
    timings: dict[str, list[float]] = {"load": [await _measure(db, routing, [])]}
    await _measure(db, routing, [*islice(responses, _BATCH)])  # warm up query plans and caches
    began_bytes = _resident()
    timings["single"] = [
        await _measure(db, routing, [next(responses)]) for _ in range(counts.singles)
    ]
    began_busy_s = _busy_s()
    timings["batch"] = [
        await _measure(db, routing, [*islice(responses, _BATCH)]) for _ in range(counts.batches)
    ]
    busy_s = (_busy_s() - began_busy_s) / (counts.batches * _BATCH)
    timings["newcomer"] = [
        await _measure(db, routing, [_newcomer(number, at)]) for number in range(counts.newcomers)
    ]
    grown_bytes = _resident() - began_bytes
    found = {**timings, "busy_s": busy_s, "grown_bytes": grown_bytes, "batch_size": _BATCH}
    sys.stdout.write(json.dumps(found))
    await db.stop()


async def _measure(
    db: Database, routing: RoutingService, envelopes: Sequence[Envelope[Event]]
) -> float:
    """Handle a batch as the consumer does; return the seconds until after the commit."""
    began_s = elapsed_s()
    async with db.transaction() as tx:
        _, at = await processed_events.claim(tx, (envelope.id for envelope in envelopes))
        await routing.apply_events(tx, envelopes, at)
    return elapsed_s(began_s)


def _responses(at: datetime) -> Iterator[Envelope[Event]]:
    for number in count():
        ticket_id = UUID(md5(f"held/{number}".encode(), usedforsecurity=False).hexdigest())
        event = TicketResponded(ticket_id=ticket_id)
        yield Envelope(uuid5(ticket_id, "answered"), "bench", at, event)


def _newcomer(number: int, at: datetime) -> Envelope[Event]:
    event = SpecialistListed(
        specialist_id=f"newcomer-{number}",
        name="Newcomer",
        mail=f"newcomer-{number}@support.example",
        languages=("en", "de"),
        capacity={"email": 1},
    )
    return Envelope(uuid5(NAMESPACE_OID, event.specialist_id), "bench", at, event)


def _busy_s() -> float:
    """Return the processor time of this process, which other processes do not affect."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * getpagesize()


if __name__ == "__main__":
    asyncio.run(_main(Counts(**json.loads(sys.argv[1]))))
