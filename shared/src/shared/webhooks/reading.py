"""Reads a file of connections: the values, or every fault with its place and its remedy."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationError

from shared.basics.yaml_source import YamlDocument, faults_of, parse_yaml, read_yaml, refused
from shared.webhooks.connection import WebhookConnection
from shared.webhooks.values import Part, not_empty

__all__ = ["connections_of", "load_connections"]


class _File(Part):
    connections: Annotated[tuple[WebhookConnection, ...], AfterValidator(not_empty)]


def load_connections(file: Path) -> tuple[WebhookConnection, ...]:
    """Read and check connections; raises Refused with all their faults."""
    return _made(read_yaml(file))


def connections_of(text: str, name: str) -> tuple[WebhookConnection, ...]:
    """Read the text of the file ``name``, as `load_connections` does."""
    return _made(parse_yaml(text, name))


def _made(document: YamlDocument) -> tuple[WebhookConnection, ...]:
    try:
        made = _File.model_validate(document.content).connections
    except ValidationError as e:
        raise refused(document, faults_of(document, _File, e)) from e
    found = [
        (("connections", index, *path), text)
        for index, connection in enumerate(made)
        for path, text in connection.faults
    ]
    names = [connection.name for connection in made]
    for index, name in enumerate(names):
        if name in names[:index]:
            found.append((("connections", index, "name"), f"{name!r} is taken; choose another"))
    if found:
        raise refused(document, found)
    return made
