"""Connections to systems that send webhooks, as an operator writes them: who signs, what it means.

A mapping is data: rules in order, of which the first that matches says which document of ours an
event is. Text in braces is a JSONPath (RFC 9535) into the event; all other text stands for itself.
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
