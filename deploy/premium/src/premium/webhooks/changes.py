"""Says what a file of connections changes, a line for each connection."""

from collections.abc import Iterable, Iterator, Mapping

from shared.webhooks import WebhookConnection

__all__ = ["changes", "title"]


def changes(
    before: Mapping[str, WebhookConnection], after: Iterable[WebhookConnection]
) -> Iterator[str]:
    """Name what is new and what is other than it was; nothing of what stays."""
    for connection in after:
        old = before.get(connection.name)
        if old is None:
            yield f"+ {title(connection)}"
        elif old != connection:
            parts = [name for name, value in connection if getattr(old, name) != value]
            yield f"~ {title(connection)}: {', '.join(parts)}"


def title(connection: WebhookConnection) -> str:
    """Say where a connection is posted to, and which secrets it takes."""
    where = f"/v1/webhooks/{connection.kind}/{connection.name}"
    return f"{where} (secrets {', '.join(connection.secrets)})"
