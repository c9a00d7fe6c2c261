"""Maps events of a webhook connection, and parks those that are invalid.

A sender that got 200 does not send an invalid event again. It is therefore parked as a dead letter
of ``inbound.v1`` with the name of its connection. A redrive maps it with the current mapping.
"""

from typing import Any, Final

from pydantic_core import to_json

from intake.domain.webhook_mapping import Meaning, meaning_of
from intake.webhooks import hubspot
from shared.basics.errors import Poison
from shared.events import INBOUND_TOPIC
from shared.events.codec import Record
from shared.platform import dead_letters
from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection

__all__ = ["CONNECTION", "meaning", "park"]

CONNECTION: Final = "webhook-connection"
"""The header that names the connection of a parked event."""
_NOWHERE: Final = -1


def meaning(connection: WebhookConnection, event: Any) -> Meaning:  # noqa: ANN401 - JSON is any
    """Map an event by its connection."""
    match connection.kind:
        case "hubspot":
            return hubspot.meaning(connection.mapping, event)
        case "signed":
            return meaning_of(connection.mapping, event)


async def park(tx: Tx, connection: str, event: Any, fault: str) -> None:  # noqa: ANN401 - JSON
    """Park an event with its fault as a dead letter."""
    name = connection.encode()
    record = Record(INBOUND_TOPIC, _NOWHERE, _NOWHERE, name, to_json(event), [(CONNECTION, name)])
    await dead_letters.park(tx, record, Poison("bad_data", fault), service="intake", attempts=1)
