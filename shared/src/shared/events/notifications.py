"""Facts about what people were told, written by notifier to ``notifications.v1``."""

from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import TicketEvent

__all__ = ["AlertKind", "NotificationFact", "NotificationFailed", "NotificationSent"]

type AlertKind = Literal["assignment", "warning", "breach", "miss", "retraction", "callback"]


class NotificationFact(TicketEvent):
    """One delivery to one recipient. The recipient is named, never by address."""

    topic: ClassVar[str] = "notifications.v1"

    delivery_id: UUID
    alert: AlertKind
    recipient: str
    medium: Literal["mail"]
    attempts: int


class NotificationSent(NotificationFact):
    """The mail server took it."""

    type: ClassVar[str] = "premium.notification.sent.v1"


class NotificationFailed(NotificationFact):
    """It was refused for good, or tried until it was useless."""

    type: ClassVar[str] = "premium.notification.failed.v1"

    reason: str
