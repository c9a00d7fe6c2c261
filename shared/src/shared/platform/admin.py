"""The admin endpoints that every service has: its API keys, its dead letters, its time.

A retry makes no second key: with the same Idempotency-Key and body, and the same admin key, the
new key is the same, because it is derived from these. So its secret need not be stored.
"""

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.platform import dead_letters
from shared.platform.access import Key, require_scopes, store
from shared.platform.access.keys import bearer_of
from shared.platform.access.store import KeyReusedError, OwnedElsewhereError, RefusedError
from shared.platform.admin_api import (
    ADMIN,
    BusinessTime,
    DeadLetterCount,
    DeadLetters,
    IssuedKey,
    KeyInfo,
    KeyName,
    NewKey,
    RedriveRequest,
)
from shared.platform.api import problems
from shared.platform.api_keys import SCOPES, ApiKey, Keyed, derive_key, make_key
from shared.platform.http_input import JsonRoute
from shared.platform.idempotency import HEADER
from shared.platform.postgres import Database, now
from shared.platform.request_context import RequestContextDep

__all__ = ["AdminKey", "admin_router", "admin_routes", "invalid", "log_act"]

_LOG: Final = structlog.get_logger()
_NAME_TAKEN: Final = problems(
    {HTTPStatus.CONFLICT: "acme has a key web-form: choose another name, or replace it"}
)
_NOT_TWO: Final = problems({HTTPStatus.CONFLICT: "acme has no key web-form in force: make one"})
_NO_KEY: Final = problems({HTTPStatus.NOT_FOUND: "no key 7hQ2mXa9 is in force"})

AdminKey = Annotated[Key, Depends(require_scopes("admin"))]
"""A key that may administer the service, and nothing else unless it has other scopes as well."""

type Prefix = Annotated[
    str,
    Path(
        pattern="^[0-9A-Za-z]{8}$",
        description="The 8 characters after `pk_`.",
        examples=["7hQ2mXa9"],
    ),
]


def admin_router() -> APIRouter:
    """Make a router for admin endpoints."""
    return APIRouter(prefix=ADMIN, tags=["admin"], route_class=JsonRoute)


def admin_routes(service: Keyed, db: Database) -> APIRouter:
    """Build the endpoints."""
    router = admin_router()
    _add_keys(router, db)
    _add_new_keys(router, service, db)
    _add_dead_letters(router, db)

    @router.get("/time", summary="Read the time")
    async def read_time(_: AdminKey) -> BusinessTime:
        """Return the time by which the service judges requests and promises."""
        async with db.transaction() as tx:
            return BusinessTime(now=await now(tx))

    return router


def log_act(act: str, by: Key, **what: object) -> None:
    """Log what was done with an admin key. Secrets are not logged."""
    _LOG.info(act, by=f"{by.tenant}/{by.name}", by_key=by.prefix, **what)


def invalid(*place: str | int, fault: str) -> RequestValidationError:
    """Make the error for an invalid field of the body."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", *place), "msg": fault}])


type MakeKey = Callable[[BaseModel], ApiKey]
"""Makes the key for the body of a request."""


async def _key_maker(request: Request, _: AdminKey, context: RequestContextDep) -> MakeKey:
    """Generate the key; for a request with an Idempotency-Key, derive it."""
    once = context.key
    if once is None:
        return lambda _: make_key()
    secret = bearer_of(request.headers["authorization"]) or ""
    path = request.url.path
    return lambda body: derive_key(secret, once.digest, f"{path} {body.model_dump_json()}")


type KeyMaker = Annotated[MakeKey, Depends(_key_maker)]


def _add_keys(router: APIRouter, db: Database) -> None:
    @router.get("/keys", summary="List API keys")
    async def list_keys(_: AdminKey) -> list[KeyInfo]:
        """List all keys without their secrets, expired and revoked ones included."""
        async with db.transaction() as tx:
            return await store.listed(tx)

    @router.delete(
        "/keys/{prefix}",
        summary="Revoke an API key",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NO_KEY,
    )
    async def revoke_key(prefix: Prefix, by: AdminKey) -> None:
        """Revoke a key; it is refused within a second."""
        async with db.transaction() as tx:
            if not await store.revoke(tx, prefix):
                raise HTTPException(
                    HTTPStatus.NOT_FOUND, f"no key {prefix} is in force: see `premium keys list`"
                )
        log_act("key_revoked", by, prefix=prefix)


def _add_new_keys(router: APIRouter, service: Keyed, db: Database) -> None:
    @router.post(
        "/keys", summary="Create an API key", status_code=HTTPStatus.CREATED, responses=_NAME_TAKEN
    )
    async def create_key(body: NewKey, make: KeyMaker, by: AdminKey) -> IssuedKey:
        """Create a key, and give its tenant what the body names. Only its SHA-256 is stored."""
        _check_scopes(service, body.scopes)
        key = make(body)
        try:
            async with db.transaction() as tx:
                made = await store.create(tx, service, body, key)
        except RefusedError as e:
            raise _refused(e, body) from e
        log_act("key_created", by, **_logged(made))
        return _issued(made, key)

    @router.post(
        "/keys/rotate",
        summary="Replace an API key",
        status_code=HTTPStatus.CREATED,
        responses=_NOT_TWO,
    )
    async def rotate_key(body: KeyName, make: KeyMaker, by: AdminKey) -> IssuedKey:
        """Create a second key like the one in force; both are valid until one is revoked."""
        key = make(body)
        try:
            async with db.transaction() as tx:
                made = await store.rotate(tx, service, body.tenant, body.name, key)
        except RefusedError as e:
            raise _refused(e) from e
        log_act("key_rotated", by, **_logged(made))
        return _issued(made, key)


def _add_dead_letters(router: APIRouter, db: Database) -> None:
    @router.get("/dead-letters", summary="Count dead letters")
    async def count_dead_letters(_: AdminKey) -> DeadLetters:
        """Count the dead letters, by the topic that they came from and the reason."""
        async with db.transaction() as tx:
            return await dead_letters.counted(tx)

    @router.post("/dead-letters/redrive", summary="Send dead letters again")
    async def redrive_dead_letters(body: RedriveRequest, by: AdminKey) -> list[DeadLetterCount]:
        """Send up to 100 dead letters back to their topics, unchanged, and count them.

        These are the oldest up to the number `last_id`. Each is sent once: a record that fails
        again becomes a dead letter with a higher number. Repeat the request until the answer is
        empty.
        """
        async with db.transaction() as tx:
            sent = await dead_letters.redrive(tx, body.last_id)
        counts = Counter((letter.topic, letter.reason) for letter in sent)
        if sent:
            log_act("dead_letters_redriven", by, records=len(sent))
        return [
            DeadLetterCount(topic=topic, reason=reason, records=count)
            for (topic, reason), count in sorted(counts.items())
        ]


def _check_scopes(service: Keyed, scopes: list[str]) -> None:
    for position, scope in enumerate(scopes):
        if scope not in SCOPES[service]:
            known = ", ".join(SCOPES[service])
            fault = f"{service} has no scope {scope}; choose among {known}"
            raise invalid("scopes", position, fault=fault)


def _refused(error: RefusedError, body: NewKey | None = None) -> Exception:
    match error:
        case OwnedElsewhereError() if body is not None:
            return invalid("owned", body.owned.index(error.owned), fault=str(error))
        case KeyReusedError():
            fault = {"type": "value_error", "loc": ("header", HEADER), "msg": str(error)}
            return RequestValidationError([fault])
        case _:
            return HTTPException(HTTPStatus.CONFLICT, str(error))


def _logged(made: KeyInfo) -> dict[str, object]:
    return made.model_dump(include={"prefix", "tenant", "name", "scopes", "owned"})


def _issued(made: KeyInfo, key: ApiKey) -> IssuedKey:
    return IssuedKey(**made.model_dump(), key=key.text)
