"""Events about notifications, published by notifier on ``notifications.v1``."""

from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import TicketEvent

__all__ = ["AlertKind", "NotificationFact", "NotificationFailed", "NotificationSent"]

type AlertKind = Literal["assignment", "warning", "breach", "miss", "retraction", "callback"]


class NotificationFact(TicketEvent):
    """One delivery to one recipient, identified by id, never by mail address."""

    topic: ClassVar[str] = "notifications.v1"

    delivery_id: UUID
    alert: AlertKind
    recipient: str
    medium: Literal["mail"]
    attempts: int


class NotificationSent(NotificationFact):
    """The mail server accepted the message."""

    type: ClassVar[str] = "premium.notification.sent.v1"


class NotificationFailed(NotificationFact):
    """The message was refused permanently, or retried until it was no longer useful."""

    type: ClassVar[str] = "premium.notification.failed.v1"

    reason: str
