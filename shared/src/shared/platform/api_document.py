"""The parts of an OpenAPI document beside its operations: tags, security, schemas."""

import json
import re
from typing import Any, Final

__all__ = [
    "CONTACT",
    "LICENSE",
    "SERVERS",
    "describe_tags",
    "is_keyed",
    "open_to_all",
    "require_constants",
    "used_schemas",
]

CONTACT: Final = {"name": "Premium Support"}
LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
SERVERS: Final = [{"url": "/", "description": "The service that serves this document."}]
KEY_SCHEME: Final = "HTTPBearer"
_REFERENCE: Final = re.compile(r'"#/components/schemas/([^"]+)"')
_TAGS: Final = {
    "tickets": "Single tickets: their content, promises, and actions on them.",
    "events": "Later facts about a request.",
    "cloudevents": "Requests and later facts as CloudEvents 1.0.",
    "receipts": "The results of requests.",
    "subjects": "People whose data can be erased.",
    "webhooks": "Signed events of other systems.",
    "queue": "Tickets that wait for a specialist.",
    "specialists": "The roster: presence, and the tickets that each specialist has.",
    "offers": "Tickets that are offered to a specialist.",
    "rules": "Rules for offers, and for handing tickets back.",
    "callbacks": "Owed callbacks, and the outcomes of attempts.",
    "admin": "For operators, with a key of its own scope: API keys, dead letters, and more.",
    "operations": "For operators of the service.",
}


def describe_tags(document: dict[str, Any]) -> list[dict[str, str]]:
    """List the tags that the operations use, each with its description."""
    used = {
        tag
        for operations in document["paths"].values()
        for operation in operations.values()
        for tag in operation["tags"]
    }
    return [{"name": tag, "description": _TAGS.get(tag, tag)} for tag in sorted(used)]


def require_constants(schema: dict[str, Any]) -> None:
    """Mark constant fields as required although they have a default: they identify a type."""
    constants = {name for name, part in schema.get("properties", {}).items() if "const" in part}
    if constants:
        schema["required"] = sorted(constants | set(schema.get("required", ())))


def used_schemas(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that the paths refer to, also indirectly, sorted by name."""
    used: set[str] = set()
    new = _named_in(paths) & schemas.keys()
    while new:
        used |= new
        new = (_named_in([schemas[name] for name in new]) & schemas.keys()) - used
    return {name: schemas[name] for name in sorted(used)}


def _named_in(part: object) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(part)))


def is_keyed(operation: dict[str, Any]) -> bool:
    """Return whether an operation requires an API key."""
    return any(KEY_SCHEME in scheme for scheme in operation.get("security", ()))


def open_to_all(operation: dict[str, Any]) -> None:
    """Declare explicitly that an operation needs no authentication, unless it declares some."""
    operation.setdefault("security", [])
