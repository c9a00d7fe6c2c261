"""HTTP endpoints for operators: the connections of systems that send webhooks."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from intake.store import webhooks as webhook_store
from shared.platform.admin import AdminKey, admin_router, invalid, log_act
from shared.platform.api import problems
from shared.platform.postgres import Database
from shared.webhooks import WebhookConnection

__all__ = ["routes"]

_EXAMPLE: Final = {
    "kind": "signed",
    "secrets": ["helpdesk-2026"],
    "mapping": {
        "source": "helpdesk",
        "ticket": "{$.id}",
        "occurred_at": "{$.at}",
        "rules": [{"when": {"$.type": "solved"}, "fact": {"type": "resolved"}}],
    },
}
_NOT_FOUND: Final = problems({HTTPStatus.NOT_FOUND: "there is no connection helpdesk"})

type Name = Annotated[str, Path(max_length=63, examples=["helpdesk"])]
type Document = Annotated[
    dict[str, Any],
    Body(description="A connection, as in docs/webhooks.md.", examples=[_EXAMPLE]),
]


def routes(db: Database) -> APIRouter:
    """Build the routes."""
    router = admin_router()

    @router.get("/webhooks", summary="List webhook connections")
    async def list_webhooks(_: AdminKey) -> list[dict[str, Any]]:
        """List the connections in force, by name."""
        async with db.transaction() as tx:
            return [found.document for found in await webhook_store.connections(tx)]

    @router.put(
        "/webhooks/{name}",
        summary="Save a webhook connection",
        status_code=HTTPStatus.NO_CONTENT,
    )
    async def save_webhook(name: Name, body: Document, by: AdminKey) -> None:
        """Create a connection, or replace it; it applies to webhooks from now on."""
        connection = _read(name, body)
        async with db.transaction() as tx:
            await webhook_store.save(tx, connection)
        log_act("webhook_connection_saved", by, connection=name)

    @router.delete(
        "/webhooks/{name}",
        summary="Remove a webhook connection",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NOT_FOUND,
    )
    async def remove_webhook(name: Name, by: AdminKey) -> None:
        """Remove a connection: its webhooks are answered with 404 from now on."""
        async with db.transaction() as tx:
            if not await webhook_store.remove(tx, name):
                detail = f"there is no connection {name!r}; `premium webhooks list` shows all"
                raise HTTPException(HTTPStatus.NOT_FOUND, detail)
        log_act("webhook_connection_removed", by, connection=name)

    return router


def _read(name: str, document: dict[str, Any]) -> WebhookConnection:
    """Validate a connection. Raises RequestValidationError with every fault."""
    if document.setdefault("name", name) != name:
        raise invalid("name", fault=f"differs from the path: write {name!r}, or leave it out")
    try:
        connection = WebhookConnection.model_validate(document)
    except ValidationError as e:
        faults = e.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from e
    faulty = [{"loc": ("body", *path), "msg": text} for path, text in connection.faults]
    if faulty:
        raise RequestValidationError([{"type": "value_error", **fault} for fault in faulty])
    return connection
