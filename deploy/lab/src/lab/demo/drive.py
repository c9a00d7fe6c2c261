"""Plays days through the running system: what upstream sends, and what the specialists do."""

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
from lab.demo.agenda import Agenda
from lab.demo.board import Board
from lab.demo.day import FIRST_DAY, Story, a_day
from lab.demo.doors import Doors
from lab.demo.ledger import Ledger
from lab.demo.pace import Pace
from lab.demo.script import dice, roster
from lab.demo.specialists import Act, Work, answer_to, breaks, bye_after, pick_up, work_on
from lab.demo.workforce import Workforce
from lab.proof.patience import patiently
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

__all__ = ["Drive"]

_EXCUSES: Final = ("not my field", "a colleague knows this account", "about to leave")
_PACE_EVERY_S: Final = 0.5
_LATENCIES: Final = 15
_LATENCY_AT_FIRST: Final = timedelta(milliseconds=100)
_LATENCY_MIN: Final = timedelta(milliseconds=1)
_AHEAD: Final = timedelta(milliseconds=100)


@dataclass(slots=True)
class Drive:
    """A play from its first midnight on. ``run`` is in every name, so that runs never meet.

    ``zero`` is the real time at which the elapsed seconds were none. ``desks`` are left to people.
    """

    run: str
    seed: int
    day_lasts: timedelta
    for_ever: bool
    desks: frozenset[str]
    zero: datetime
    doors: Doors
    time: BusinessTime
    midnight: datetime = field(init=False)
    pace: Pace = field(init=False)
    agenda: Agenda = field(init=False)
    workforce: Workforce = field(init=False)
    board: Board = field(default_factory=Board)
    heard: int = 0
    heard_at_s: float = field(default_factory=elapsed_s)
    _requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    _stories: dict[UUID, Story] = field(default_factory=dict)
    _turns: Counter[UUID] = field(default_factory=Counter)
    _seen: set[UUID] = field(default_factory=set)
    _closed: set[UUID] = field(default_factory=set)
    _rang: dict[UUID, datetime] = field(default_factory=dict)
    _latencies: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def __post_init__(self) -> None:
        self.midnight = _midnight(FIRST_DAY)
        self.pace = Pace.of_a_day(self.midnight, self.real_now(), self.day_lasts)
        self.agenda = Agenda(lambda at: (self.pace.real_at(at) - self.real_now()).total_seconds())
        self.workforce = Workforce(self.doors, self.real_now)
        self.board.list_roster(roster())

    def real_now(self) -> datetime:
        """Read the servers' clock without asking them."""
        return self.zero + timedelta(seconds=elapsed_s())

    def now(self) -> datetime:
        """Read business time, in step with the databases'."""
        return self.pace.business_at(self.real_now())

    async def begin(self) -> None:
        """Start the first day, slowly until it is known how fast the system is."""
        began = self.real_now()
        pace = Pace.of_a_day(self.midnight, began, self.day_lasts)
        await self._run_at(pace.braked(began, _LATENCY_AT_FIRST))
        self._plan_day(FIRST_DAY)

    async def keep_pace(self) -> None:
        """Let business time wait for the system, until cancelled.

        Measured is how long a request takes to where its clock starts, and an offer to where
        somebody has it. The change is set a
        moment ahead, so that it comes at once in all databases.
        """
        while True:
            await wait_at_most(asyncio.Event().wait(), _PACE_EVERY_S)
            if len(self._latencies) < _LATENCIES:
                continue
            pace = self.pace.braked(self.real_now() + _AHEAD, median_low(self._latencies))
            if pace.differs(self.pace, self.real_now() + _AHEAD):
                await self._run_at(pace)

    def has_any_of(self, tickets: AbstractSet[UUID]) -> bool:
        """Tell whether any of these is the play's."""
        return not tickets.isdisjoint(self._requests)

    def break_off(self) -> None:
        """Plan no more, and close what is open: nobody shall be held by a play that is over.

        To be called until it is quiet: what was on its way comes in meanwhile.
        """
        if not self._closed:
            self.agenda.clear()
        for ticket_id in self._requests.keys() & set(self.board.open_tickets()) - self._closed:
            self._closed.add(ticket_id)
            close = partial(self._tell, self._requests[ticket_id], "closed", self.now())
            self.agenda.add(self.now(), close)

    async def end(self) -> None:
        """Leave business time and roster as they were found."""
        await patiently(self.time.restore)
        await self.workforce.close()

    def hear(self, envelope: Envelope[Event]) -> None:
        """Show what happened, and let the specialist who got a ticket get to work."""
        if isinstance(envelope.event, WatermarkAdvanced):
            return
        self.heard, self.heard_at_s = self.heard + 1, elapsed_s()
        self.workforce.hear(envelope.event)
        self.board.take(envelope, self.now())
        match envelope.event:
            case ClockStarted() as event if event.ticket_id in self._requests:
                taken = self.real_now() - self.pace.real_at(envelope.time)
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
                self._say_goodbye(event, envelope)
            case TicketResponded() as event if event.ticket_id in self._requests:
                self._answer_crossing_reply(event, envelope)
            case _:
                pass  # seen; or somebody else's ticket, on a stack that others use too

    def hear_dead_letter(self, record: ConsumerRecord) -> None:
        """Show that a service parked a message."""
        self.heard, self.heard_at_s = self.heard + 1, elapsed_s()
        service = record.topic.partition(".")[0]
        self.board.refuse(self.now(), service, reason_of(record.headers))

    async def _run_at(self, pace: Pace) -> None:
        self.pace = pace
        await patiently(lambda: self.time.run_by(pace.sql()))

    def _plan_day(self, on: date) -> None:
        self.midnight = _midnight(on)
        day = a_day(self.seed, on, run=self.run)
        self._requests |= day.requests
        self._stories |= day.stories
        for sending in day.sendings:
            self.agenda.add(sending.at, partial(self.doors.send, sending))
        played = [one for one in roster() if one.specialist_id not in self.desks]
        for away in breaks(played, on, self.seed):
            change = partial(self.workforce.change, away.specialist_id, away.presence)
            self.agenda.add(away.at, change)
        if self.for_ever:
            tomorrow = on + timedelta(days=1)
            self.agenda.add(_midnight(tomorrow), partial(self._next_day, tomorrow))

    async def _next_day(self, on: date) -> None:
        """Go on at midnight: the night is faster than the evening, so no time is run back."""
        began = self.pace.real_at(_midnight(on))
        await self._run_at(Pace.of_a_day(_midnight(on), began, self.day_lasts))
        self._turn_page()
        self._plan_day(on)

    def _turn_page(self) -> None:
        """Forget what is done with: days go on for as long as somebody looks."""
        self.board.turn_page()
        self.doors.ledger = Ledger()
        still_open = set(self.board.open_tickets())
        self._requests = {t: r for t, r in self._requests.items() if t in still_open}
        self._stories = {t: s for t, s in self._stories.items() if t in still_open}
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
        work = Work(
            ticket,
            self._stories[ticket.ticket_id],
            envelope.time,
            held=self.board.load_of(ticket.specialist_id) - 1,
            turn=turn,
        )
        acts = work_on(work, dice(self.seed, request.external_id, turn))
        for act in acts:
            self.agenda.add(act.told_at, partial(self._do, act, ticket, request))

    def _ring(self, offer: TicketOffered, envelope: Envelope[Event]) -> None:
        if envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        self._rang[offer.ticket_id] = self.pace.real_at(envelope.time)
        rng = dice(self.seed, self._requests[offer.ticket_id].external_id, str(offer.offer_id))
        if pick_up(rng) == "accept":
            answer = partial(self.doors.accept, offer.offer_id, offer.specialist_id)
        else:
            excuse = rng.choice(_EXCUSES)
            answer = partial(self.doors.decline_offer, offer.offer_id, offer.specialist_id, excuse)
        self.agenda.add(envelope.time, answer)

    def _answer_crossing_reply(self, answer: TicketResponded, envelope: Envelope[Event]) -> None:
        """Answer again if a later reply of the customer arrived before this answer.

        The specialist keeps such a ticket: router does not assign it a second time.
        """
        replied_at = self.board.ticket(answer.ticket_id).replied_at
        is_new = envelope.id not in self._seen
        self._seen.add(envelope.id)
        if is_new and replied_at is not None and envelope.time <= replied_at:
            request = self._requests[answer.ticket_id]
            at = answer_to(replied_at, dice(self.seed, request.external_id, "reply"))
            self.agenda.add(at, partial(self._tell, request, "responded", at))

    def _say_goodbye(self, answer: AssignmentResponded, envelope: Envelope[Event]) -> None:
        """Let a customer whose chat a person joined close it after a while, as any other."""
        request = self._requests.get(answer.ticket_id)
        if request is None or request.channel != "chat" or envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        at = bye_after(envelope.time, dice(self.seed, request.external_id, "bye"))
        self.agenda.add(at, partial(self._tell, request, "closed", at))

    async def _do(self, act: Act, ticket: TicketAssigned, request: SupportRequest) -> None:
        moved = self.board.ticket(ticket.ticket_id).holder != ticket.specialist_id
        if moved and act.deed != "closed":  # that one is the customer's
            return
        if act.deed == "decline":
            excuse = dice(request.external_id).choice(_EXCUSES)
            await self.doors.decline(ticket.ticket_id, ticket.specialist_id, excuse)
        else:
            await self._tell(request, act.deed, act.at, act.severity)

    async def _tell(
        self,
        request: SupportRequest,
        what: FactType,
        at: datetime,
        severity: Severity | None = None,
    ) -> None:
        await self.doors.tell(
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
