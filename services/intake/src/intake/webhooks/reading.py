"""An event of a connection is read; one that cannot be, though its sender was told 200, is parked.

It lies among the dead letters as a record of ``inbound.v1`` that names its connection: redriven, it
is read again by the mapping as it is then.
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


def meaning(connection: WebhookConnection, event: Any, told: str | None) -> Meaning:  # noqa: ANN401
    """Read an event by its connection's mapping; ``told`` is the sender's id of a signed one."""
    match connection.kind:
        case "hubspot":
            return hubspot.meaning(connection.mapping, event)
        case "signed":
            return meaning_of(connection.mapping, event, told)


async def park(tx: Tx, connection: str, event: Any, fault: str) -> None:  # noqa: ANN401 - JSON
    """Put an event aside with its fault: its sender will not send it again."""
    name = connection.encode()
    record = Record(INBOUND_TOPIC, _NOWHERE, _NOWHERE, name, to_json(event), [(CONNECTION, name)])
    await dead_letters.park(tx, record, Poison("bad_data", fault), service="intake", attempts=1)
