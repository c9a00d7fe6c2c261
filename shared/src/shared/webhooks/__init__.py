"""Webhook connections, as an operator writes them: signatures, and the mapping of events.

A mapping is a list of rules; the first one that matches determines the document (a request or a
later fact) into which an event is converted. Text in braces is a JSONPath (RFC 9535) into the
event; other text is literal.
"""

from shared.webhooks.connection import (
    ConnectionKind,
    FactMapping,
    Mapping,
    MappingRule,
    RequestMapping,
    WebhookConnection,
)
from shared.webhooks.reading import connections_of, load_connections
from shared.webhooks.values import MissingValue, UnusableValue, Value, texts_at

__all__ = [
    "ConnectionKind",
    "FactMapping",
    "Mapping",
    "MappingRule",
    "MissingValue",
    "RequestMapping",
    "UnusableValue",
    "Value",
    "WebhookConnection",
    "connections_of",
    "load_connections",
    "texts_at",
]
