"""The context of a request to intake: its API key, trace and Idempotency-Key."""

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

from intake.api.auth import Writer
from shared.platform.access import Key
from shared.platform.api import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_PATTERN, TraceContext

__all__ = ["RequestContext", "RequestContextDep"]

_SEVERAL_KEYS: Final = "was sent more than once; send one"

type IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias=IDEMPOTENCY_KEY,
        pattern=IDEMPOTENCY_KEY_PATTERN,
        description="For 7 days the same key with the same body gets the same answer.",
    ),
]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The API key, trace and Idempotency-Key of a request, and a digest of its content.

    The Idempotency-Key is hashed together with the tenant: the same key of two tenants is two
    keys.
    """

    key: Key
    traceparent: str
    idempotency_key_hash: str | None
    fingerprint: bytes


async def _request_context(
    request: Request,
    key: Writer,
    trace: TraceContext,
    idempotency_key: IdempotencyKeyHeader = None,
) -> RequestContext:
    _check_single(request)
    return RequestContext(
        key,
        trace,
        None if idempotency_key is None else key.idempotency_key_hash(idempotency_key),
        b"" if idempotency_key is None else await _fingerprint(request),
    )


async def _fingerprint(request: Request) -> bytes:
    """Compute a digest of a request's path and content.

    The layout of JSON does not matter. In binary mode the attributes of a CloudEvent, which are
    headers, are part of the content.
    """
    event = sorted(pair for pair in request.headers.items() if pair[0].startswith("ce-"))
    body = await request.body()
    with suppress(ValueError):  # a body that is not JSON is refused later
        body = json.dumps(from_json(body), sort_keys=True).encode()
    return sha256(b"%s\n%r\n%s" % (request.scope["path"].encode(), event, body)).digest()


def _check_single(request: Request) -> None:
    """Check that there is at most one Idempotency-Key.

    Raises:
        RequestValidationError: There are several, and it is unclear which is meant.
    """
    if len(request.headers.getlist("idempotency-key")) > 1:
        location = ("header", IDEMPOTENCY_KEY)
        fault = {"type": "value_error", "loc": location, "msg": _SEVERAL_KEYS}
        raise RequestValidationError([fault])


type RequestContextDep = Annotated[RequestContext, Depends(_request_context)]
