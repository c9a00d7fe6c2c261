"""Simulates days: sends upstream's messages, and acts for the specialists."""

import asyncio
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from statistics import median_low
from typing import Final
from uuid import UUID

from aiokafka import ConsumerRecord

from devstack.business_time import BusinessTime
from lab.demo.clients import Clients
from lab.demo.content import roster, seeded_random
from lab.demo.day import FIRST_DAY, Scenario, a_day
from lab.demo.schedule import Schedule
from lab.demo.sent import SentMessages
from lab.demo.specialists import (
    AssignedWork,
    PlannedAction,
    answer_offer,
    answer_to,
    chat_closed_at,
    presence_changes,
    work_on,
)
from lab.demo.state import DemoState
from lab.demo.time_scale import TimeScale
from lab.demo.workforce import Workforce
from lab.proof.retry import with_retry
from shared.basics.clock import elapsed_s, wait_at_most
from shared.events import (
    AssignmentResponded,
    ClockStarted,
    Envelope,
    Event,
    LaterFact,
    SupportRequest,
    TicketAssigned,
    TicketOffered,
    TicketResponded,
    WatermarkAdvanced,
)
from shared.events.requests import FactType
from shared.platform.dead_letters import reason_of
from shared.sla.promises import Severity

__all__ = ["Simulation"]

_DECLINE_REASONS: Final = ("not my field", "a colleague knows this account", "about to leave")
_ADJUST_EVERY_S: Final = 0.5
_LATENCIES: Final = 15
_LATENCY_AT_FIRST: Final = timedelta(milliseconds=100)
_LATENCY_MIN: Final = timedelta(milliseconds=1)
_AHEAD: Final = timedelta(milliseconds=100)


@dataclass(slots=True)
class Simulation:
    """A simulation from its first midnight on. ``run`` is part of every id, so runs share nothing.

    ``zero`` is the real time at zero of the monotonic clock. ``desks`` are the specialists whom
    people act for.
    """

    run: str
    seed: int
    day_lasts: timedelta
    endless: bool
    desks: frozenset[str]
    zero: datetime
    clients: Clients
    time: BusinessTime
    midnight: datetime = field(init=False)
    scale: TimeScale = field(init=False)
    schedule: Schedule = field(init=False)
    workforce: Workforce = field(init=False)
    state: DemoState = field(default_factory=DemoState)
    event_count: int = 0
    last_event_s: float = field(default_factory=elapsed_s)
    _requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    _scenarios: dict[UUID, Scenario] = field(default_factory=dict)
    _turns: Counter[UUID] = field(default_factory=Counter)
    _seen: set[UUID] = field(default_factory=set)
    _closed: set[UUID] = field(default_factory=set)
    _rang: dict[UUID, datetime] = field(default_factory=dict)
    _latencies: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def __post_init__(self) -> None:
        self.midnight = _midnight(FIRST_DAY)
        self.scale = TimeScale.of_a_day(self.midnight, self.real_now(), self.day_lasts)
        self.schedule = Schedule(
            lambda at: (self.scale.real_at(at) - self.real_now()).total_seconds()
        )
        self.workforce = Workforce(self.clients, self.real_now)
        self.state.list_roster(roster())

    def real_now(self) -> datetime:
        """Return the servers' real time, without a query."""
        return self.zero + timedelta(seconds=elapsed_s())

    def now(self) -> datetime:
        """Return business time, the same as in the databases."""
        return self.scale.business_at(self.real_now())

    async def begin(self) -> None:
        """Start the first day, slowly until the system's latency is known."""
        began = self.real_now()
        scale = TimeScale.of_a_day(self.midnight, began, self.day_lasts)
        await self._run_at(scale.slowed(began, _LATENCY_AT_FIRST))
        self._plan_day(FIRST_DAY)

    async def adjust_scale(self) -> None:
        """Slow business time down while the system is slow, until cancelled.

        The latency is measured from a request to the start of its clock, and from an offer to its
        assignment. A change takes effect 0.1 s later, so that all databases have it by then.
        """
        while True:
            await wait_at_most(asyncio.Event().wait(), _ADJUST_EVERY_S)
            if len(self._latencies) < _LATENCIES:
                continue
            scale = self.scale.slowed(self.real_now() + _AHEAD, median_low(self._latencies))
            if scale.differs(self.scale, self.real_now() + _AHEAD):
                await self._run_at(scale)

    def has_any_of(self, tickets: AbstractSet[UUID]) -> bool:
        """Return whether any of these tickets belongs to the simulation."""
        return not tickets.isdisjoint(self._requests)

    def cancel(self) -> None:
        """Remove all scheduled tasks, and close all open tickets, so that no specialist keeps one.

        Call it again until nothing is left to do, because messages in flight arrive meanwhile.
        """
        if not self._closed:
            self.schedule.clear()
        for ticket_id in self._requests.keys() & set(self.state.open_tickets()) - self._closed:
            self._closed.add(ticket_id)
            close = partial(self._send_fact, self._requests[ticket_id], "closed", self.now())
            self.schedule.add(self.now(), close)

    async def end(self) -> None:
        """Restore business time, roster and offer rules."""
        await with_retry(self.time.restore)
        await self.workforce.close()

    def on_event(self, envelope: Envelope[Event]) -> None:
        """Apply an event to the state, and schedule the actions that follow from it."""
        if isinstance(envelope.event, WatermarkAdvanced):
            return
        self.event_count, self.last_event_s = self.event_count + 1, elapsed_s()
        self.workforce.on_event(envelope.event)
        self.state.apply(envelope, self.now())
        match envelope.event:
            case ClockStarted() as event if event.ticket_id in self._requests:
                taken = self.real_now() - self.scale.real_at(envelope.time)
                self._latencies.append(max(taken, _LATENCY_MIN))
            case TicketAssigned() | TicketOffered() as event if event.specialist_id in self.desks:
                self._rang.pop(event.ticket_id, None)
            case TicketAssigned() as event if event.ticket_id in self._requests:
                if (rang_at := self._rang.pop(event.ticket_id, None)) is not None:
                    self._latencies.append(max(self.real_now() - rang_at, _LATENCY_MIN))
                self._work(event, envelope)
            case TicketOffered() as event if event.ticket_id in self._requests:
                self._ring(event, envelope)
            case AssignmentResponded() as event if event.specialist_id in self.desks:
                self._close_chat(event, envelope)
            case TicketResponded() as event if event.ticket_id in self._requests:
                self._answer_crossing_reply(event, envelope)
            case _:
                pass  # other events, and tickets of others, need no action

    def on_dead_letter(self, record: ConsumerRecord) -> None:
        """Count and show a dead letter."""
        self.event_count, self.last_event_s = self.event_count + 1, elapsed_s()
        service = record.topic.partition(".")[0]
        self.state.refuse(self.now(), service, reason_of(record.headers))

    async def _run_at(self, scale: TimeScale) -> None:
        self.scale = scale
        await with_retry(lambda: self.time.set_expression(scale.sql()))

    def _plan_day(self, on: date) -> None:
        self.midnight = _midnight(on)
        day = a_day(self.seed, on, run=self.run)
        self._requests |= day.requests
        self._scenarios |= day.scenarios
        for message in day.messages:
            self.schedule.add(message.at, partial(self.clients.send, message))
        simulated = [one for one in roster() if one.specialist_id not in self.desks]
        for away in presence_changes(simulated, on, self.seed):
            change = partial(self.workforce.change, away.specialist_id, away.presence)
            self.schedule.add(away.at, change)
        if self.endless:
            tomorrow = on + timedelta(days=1)
            self.schedule.add(_midnight(tomorrow), partial(self._next_day, tomorrow))

    async def _next_day(self, on: date) -> None:
        """Start the next day; night runs faster than evening, so business time never jumps back."""
        began = self.scale.real_at(_midnight(on))
        await self._run_at(TimeScale.of_a_day(_midnight(on), began, self.day_lasts))
        self._start_day()
        self._plan_day(on)

    def _start_day(self) -> None:
        """Remove finished tickets: the days are unlimited in number, but memory must not grow."""
        self.state.start_day()
        self.clients.sent = SentMessages()
        still_open = set(self.state.open_tickets())
        self._requests = {t: r for t, r in self._requests.items() if t in still_open}
        self._scenarios = {t: s for t, s in self._scenarios.items() if t in still_open}
        self._turns = Counter({t: n for t, n in self._turns.items() if t in still_open})
        self._seen.clear()
        self._rang.clear()

    def _work(self, ticket: TicketAssigned, envelope: Envelope[Event]) -> None:
        if envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        request = self._requests[ticket.ticket_id]
        turn = self._turns[ticket.ticket_id]
        self._turns[ticket.ticket_id] += 1
        work = AssignedWork(
            ticket,
            self._scenarios[ticket.ticket_id],
            envelope.time,
            held=self.state.load_of(ticket.specialist_id) - 1,
            turn=turn,
        )
        actions = work_on(work, seeded_random(self.seed, request.external_id, turn))
        for action in actions:
            self.schedule.add(action.reported_at, partial(self._do, action, ticket, request))

    def _ring(self, offer: TicketOffered, envelope: Envelope[Event]) -> None:
        if envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        self._rang[offer.ticket_id] = self.scale.real_at(envelope.time)
        rng = seeded_random(
            self.seed, self._requests[offer.ticket_id].external_id, str(offer.offer_id)
        )
        if answer_offer(rng) == "accept":
            answer = partial(self.clients.accept, offer.offer_id, offer.specialist_id)
        else:
            reason = rng.choice(_DECLINE_REASONS)
            answer = partial(
                self.clients.decline_offer, offer.offer_id, offer.specialist_id, reason
            )
        self.schedule.add(envelope.time, answer)

    def _answer_crossing_reply(self, answer: TicketResponded, envelope: Envelope[Event]) -> None:
        """Answer again if a later reply of the customer arrived before this answer.

        The specialist keeps such a ticket: router does not assign it a second time.
        """
        replied_at = self.state.ticket(answer.ticket_id).replied_at
        is_new = envelope.id not in self._seen
        self._seen.add(envelope.id)
        if is_new and replied_at is not None and envelope.time <= replied_at:
            request = self._requests[answer.ticket_id]
            at = answer_to(replied_at, seeded_random(self.seed, request.external_id, "reply"))
            self.schedule.add(at, partial(self._send_fact, request, "responded", at))

    def _close_chat(self, answer: AssignmentResponded, envelope: Envelope[Event]) -> None:
        """Close a chat, as the customer would, minutes after a person answered it in the inbox."""
        request = self._requests.get(answer.ticket_id)
        if request is None or request.channel != "chat" or envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        at = chat_closed_at(envelope.time, seeded_random(self.seed, request.external_id, "bye"))
        self.schedule.add(at, partial(self._send_fact, request, "closed", at))

    async def _do(
        self, action: PlannedAction, ticket: TicketAssigned, request: SupportRequest
    ) -> None:
        moved = self.state.ticket(ticket.ticket_id).holder != ticket.specialist_id
        if moved and action.kind != "closed":  # the customer also closes a ticket that was moved
            return
        if action.kind == "decline":
            reason = seeded_random(request.external_id).choice(_DECLINE_REASONS)
            await self.clients.decline(ticket.ticket_id, ticket.specialist_id, reason)
        else:
            await self._send_fact(request, action.kind, action.at, action.severity)

    async def _send_fact(
        self,
        request: SupportRequest,
        what: FactType,
        at: datetime,
        severity: Severity | None = None,
    ) -> None:
        await self.clients.send_fact(
            LaterFact(
                source=request.source,
                external_id=request.external_id,
                type=what,
                occurred_at=at,
                severity=severity,
            )
        )


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), UTC)
