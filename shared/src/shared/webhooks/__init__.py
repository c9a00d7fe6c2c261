"""Connections to systems that send webhooks, as an operator writes them: who signs, what it means.

A mapping is data: rules in order, of which the first that matches says which document of ours an
event is. Text in braces is a JSONPath (RFC 9535) into the event; all other text stands for itself.
"""

from shared.webhooks.connection import Connection, Fact, Kind, Mapping, Request, Rule
from shared.webhooks.reading import connections_of, load_connections
from shared.webhooks.values import Missing, Unfit, Value, texts_at

__all__ = [
    "Connection",
    "Fact",
    "Kind",
    "Mapping",
    "Missing",
    "Request",
    "Rule",
    "Unfit",
    "Value",
    "connections_of",
    "load_connections",
    "texts_at",
]
