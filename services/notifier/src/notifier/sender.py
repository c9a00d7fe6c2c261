"""The sender: what is planned and due goes to the mail server, and what became of it is told.

A batch is one transaction around the conversation: claimed rows stay locked while it lasts, and
their new state is saved with the facts that announce it. A crash in between sends again, with
the same message ids: SMTP is at least once.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, override
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from notifier import domain, store
from notifier.domain import Deferred, Outcome, Refused, Verdict
from notifier.mail import Letter
from notifier.settings import Settings
from notifier.smtp import MailServer
from notifier.store import Due
from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.basics.tracing import trace_id_of
from shared.events import Envelope, Event
from shared.platform import outbox
from shared.platform.background import Background
from shared.platform.postgres import Database

__all__ = ["PENDING_AGE_S", "Sender"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 200
_POLL_S: Final = 0.25
_AWAY_S: Final = 0.5
_TEAM: Final = "Premium Support team"
_NO_CALL: Final = Refused("the customer was spoken to, or somebody else has the ticket")
_NOT_DUE: Final = Refused("nothing is due any more: the ticket waits, or is closed")
_NO_ADDRESS: Final = Deferred("the roster has no such specialist; list them on specialists.v1")

DELIVERIES: Final = Counter("premium_deliveries", "Tries to tell somebody", ["alert", "state"])
PENDING_AGE_S: Final = Gauge(
    "premium_delivery_age_seconds",
    "Age of the oldest delivery that is not settled yet, in business time",
)


class Sender(Background):
    """Sends as long as something is due; else waits to be woken, and looks now and then.

    Other instances plan deliveries too, and tries that failed fall due again.
    """

    def __init__(self, db: Database, settings: Settings) -> None:
        super().__init__("sender")
        self._db = db
        self._team_mail = settings.team_mail
        self._server = MailServer(settings)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for deliveries at once."""
        self._woken.set()

    @override
    async def stop(self) -> None:
        """Finish the batch in hand, as far as the mail server is quick about it."""
        self._stop.set()
        self._woken.set()
        self._server.hurry()
        await super().stop()
        await self._server.close()

    async def send_due(self) -> int:
        """Try a batch of what is due, the longest due first; the number claimed comes back."""
        async with self._db.transaction() as tx:
            due = await store.due_deliveries(tx, limit=_BATCH_MAX)
            if not due:
                return 0
            verdicts = _judge(due, await self._send(due))
            now = await store.settle(tx, verdicts)
            await outbox.add(tx, _announcements(verdicts, now))
        _report(verdicts)
        return len(due)

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                if await self.send_due() < _BATCH_MAX:
                    await wait_at_most(self._woken.wait(), _POLL_S)
            except Transient as e:
                _LOG.warning("sender_waits", reason=str(e))
                await wait_at_most(self._stop.wait(), _AWAY_S)

    async def _send(self, due: Sequence[Due]) -> dict[UUID, Outcome]:
        letters: list[Letter] = []
        unsent: dict[UUID, Outcome] = {}
        for one in due:
            if not one.stands:
                unsent[one.delivery.id] = _NO_CALL
            elif not one.is_due:
                unsent[one.delivery.id] = _NOT_DUE
            elif (letter := self._letter(one)) is not None:
                letters.append(letter)
            else:
                unsent[one.delivery.id] = _NO_ADDRESS
        return {**unsent, **await self._server.send(letters)}

    def _letter(self, due: Due) -> Letter | None:
        if due.delivery.specialist_id is None:
            return Letter(due.delivery, _TEAM, self._team_mail)
        return None if due.mail is None else Letter(due.delivery, due.name or "", due.mail)


def _judge(due: Sequence[Due], outcomes: dict[UUID, Outcome]) -> list[Verdict]:
    """Judge what was tried; the rest stays due as it is."""
    return [
        domain.judge(one.delivery, outcome)
        for one in due
        if (outcome := outcomes.get(one.delivery.id)) is not None
    ]


def _announcements(verdicts: Sequence[Verdict], now: datetime) -> list[Envelope[Event]]:
    return [
        Envelope.caused_by(
            verdict.delivery.id,
            fact,
            source="notifier",
            time=now,
            traceparent=verdict.delivery.traceparent,
        )
        for verdict in verdicts
        if (fact := domain.announcement_of(verdict)) is not None
    ]


def _report(verdicts: Sequence[Verdict]) -> None:
    """Log what became of each delivery, and count it; those that wait, once a batch."""
    for verdict in verdicts:
        DELIVERIES.labels(verdict.delivery.alert, verdict.state).inc()
        if verdict.state != "pending":
            _LOG.info(
                f"delivery_{verdict.state}",
                alert=verdict.delivery.alert,
                recipient=verdict.delivery.recipient,
                reason=verdict.reason,
                attempts=verdict.attempts,
                ticket_id=str(verdict.delivery.fact.ticket_id),
                delivery_id=str(verdict.delivery.id),
                trace_id=trace_id_of(verdict.delivery.traceparent),
            )
    if waiting := [v for v in verdicts if v.state == "pending"]:
        _LOG.warning("deliveries_wait", deliveries=len(waiting), reason=waiting[0].reason)
