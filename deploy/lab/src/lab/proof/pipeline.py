"""Whether the services are idle: everything read, decided, published and delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lab.broker import Broker, Offsets
from lab.proof.tables import Tables

__all__ = ["STAGES", "Pipeline", "Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A consumer group of a service, the service's database, and the topics the group reads."""

    service: str
    database: str
    reads: Sequence[str]


STAGES: Final = (
    Stage("intake", "intake", ("inbound.v1", "policies.v1", "accounts.v1", "specialists.v1")),
    Stage("router", "router", ("tickets.v1", "specialists.v1")),
    Stage("sla-monitor", "sla_monitor", ("tickets.v1",)),
    Stage(
        "sla-monitor.secondary",
        "sla_monitor",
        ("assignments.v1", "notifications.v1", "policies.v1"),
    ),
    Stage("notifier", "notifier", ("assignments.v1", "clocks.v1", "breaches.v1", "specialists.v1")),
)
_TOPICS: Final = tuple(dict.fromkeys(topic for stage in STAGES for topic in stage.reads))


class Pipeline:
    """The running services, observed from outside."""

    def __init__(self, broker: Broker, tables: Tables) -> None:
        self._broker = broker
        self._tables = tables

    async def unrest(self) -> str | None:
        """Describe the first unfinished work; None if there is none anywhere.

        Offsets are read before tables, so one pass is enough: a record that was consumed by then
        shows in the tables, and an event that has left a table since then moves a topic's end.
        Tables are also queried first, because that is cheaper.

        Raises:
            Transient: a server is unreachable.
        """
        if left := await self._work_left():
            return left
        before = await self._broker.ends(_TOPICS)
        for stage in STAGES:
            if behind := await self._behind(stage, before):
                return f"{stage.service} has {behind} records to read"
        if left := await self._work_left():
            return left
        if await self._broker.ends(_TOPICS) != before:
            return "topics grow"
        return None

    async def behind(self) -> dict[str, int]:
        """Count the records that each service has not read yet. Raises Transient."""
        ends = await self._broker.ends(_TOPICS)
        return {stage.service: await self._behind(stage, ends) for stage in STAGES}

    async def _work_left(self) -> str | None:
        for stage in reversed(STAGES):
            if left := await self._tables.work_left(stage.database):
                return f"{stage.service} has {left}"
        return None

    async def _behind(self, stage: Stage, ends: Offsets) -> int:
        committed = await self._broker.committed(stage.service)
        return sum(
            max(end - max(committed.get(place, 0), 0), 0)
            for place, end in ends.items()
            if place.topic in stage.reads
        )
