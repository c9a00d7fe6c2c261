"""Sends due deliveries by mail, and publishes the result of each.

A batch is one transaction around the SMTP session: the claimed rows stay locked meanwhile, and
their new states are saved together with the events that announce them. After a crash in between,
the mails are sent again with the same Message-ID: delivery is at least once.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, override
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from notifier import domain, store
from notifier.domain import Deferred, DeliveryOutcome, DeliveryResult, Refused
from notifier.mail import Message
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
_RETRY_S: Final = 0.5
_TEAM: Final = "Premium Support team"
_NO_CALL: Final = Refused("the customer was reached, or the specialist no longer has the ticket")
_NOT_DUE: Final = Refused("nothing is due any more: the ticket is paused or closed")
_NO_ADDRESS: Final = Deferred("the roster has no such specialist; list them on specialists.v1")

DELIVERIES: Final = Counter("premium_deliveries", "Attempts to deliver", ["alert", "state"])
PENDING_AGE_S: Final = Gauge(
    "premium_delivery_age_seconds",
    "Age of the oldest delivery that is not settled yet, in business time",
)


class Sender(Background):
    """Sends while deliveries are due; otherwise waits for `wake`, at most 250 ms.

    It polls because other instances plan deliveries, too, and failed attempts become due again.
    """

    def __init__(self, db: Database, settings: Settings) -> None:
        super().__init__("sender")
        self._db = db
        self._team_mail = settings.team_mail
        self._server = MailServer(settings)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for due deliveries at once."""
        self._woken.set()

    @override
    async def stop(self) -> None:
        """Stop after the current batch, which gets at most 2 s more."""
        self._stop.set()
        self._woken.set()
        self._server.shorten_timeout()
        await super().stop()
        await self._server.close()

    async def send_due(self) -> int:
        """Attempt the earliest due deliveries, at most 200; return how many were claimed."""
        async with self._db.transaction() as tx:
            due = await store.due_deliveries(tx, limit=_BATCH_MAX)
            if not due:
                return 0
            results = _results_of(due, await self._send(due))
            now = await store.settle(tx, results)
            await outbox.add(tx, _announcements(results, now))
        _report(results)
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
                await wait_at_most(self._stop.wait(), _RETRY_S)

    async def _send(self, due: Sequence[Due]) -> dict[UUID, DeliveryOutcome]:
        messages: list[Message] = []
        unsent: dict[UUID, DeliveryOutcome] = {}
        for one in due:
            if not one.still_assigned:
                unsent[one.delivery.id] = _NO_CALL
            elif not one.still_due:
                unsent[one.delivery.id] = _NOT_DUE
            elif (message := self._message(one)) is not None:
                messages.append(message)
            else:
                unsent[one.delivery.id] = _NO_ADDRESS
        return {**unsent, **await self._server.send(messages)}

    def _message(self, due: Due) -> Message | None:
        if due.delivery.specialist_id is None:
            return Message(due.delivery, _TEAM, self._team_mail)
        return None if due.mail is None else Message(due.delivery, due.name or "", due.mail)


def _results_of(due: Sequence[Due], outcomes: dict[UUID, DeliveryOutcome]) -> list[DeliveryResult]:
    """Return the results of the attempts; a delivery without an attempt has none, and stays due."""
    return [
        domain.result_of(one.delivery, outcome)
        for one in due
        if (outcome := outcomes.get(one.delivery.id)) is not None
    ]


def _announcements(results: Sequence[DeliveryResult], now: datetime) -> list[Envelope[Event]]:
    return [
        Envelope.caused_by(
            result.delivery.id,
            fact,
            source="notifier",
            time=now,
            traceparent=result.delivery.traceparent,
        )
        for result in results
        if (fact := domain.announcement_of(result)) is not None
    ]


def _report(results: Sequence[DeliveryResult]) -> None:
    """Count each result; log each sent or failed delivery, and all pending ones in one line."""
    for result in results:
        DELIVERIES.labels(result.delivery.alert, result.state).inc()
        if result.state != "pending":
            _LOG.info(
                f"delivery_{result.state}",
                alert=result.delivery.alert,
                recipient=result.delivery.recipient,
                reason=result.reason,
                attempts=result.attempts,
                ticket_id=str(result.delivery.fact.ticket_id),
                delivery_id=str(result.delivery.id),
                trace_id=trace_id_of(result.delivery.traceparent),
            )
    if waiting := [v for v in results if v.state == "pending"]:
        _LOG.warning("deliveries_wait", deliveries=len(waiting), reason=waiting[0].reason)
