"""Who asks at intake's doors, within which trace, and under which Idempotency-Key."""

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

__all__ = ["Asker", "Asks"]

_TWO_KEYS: Final = "came more than once; send one"

type IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=IDEMPOTENCY_KEY,
        pattern=IDEMPOTENCY_KEY_PATTERN,
        description="For 7 days the same key with the same body gets the same answer.",
    ),
]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, within which trace, under which Idempotency-Key: one word of two is two keys."""

    key: Key
    traceparent: str
    idempotency_key_hash: str | None
    fingerprint: bytes


async def _asker(
    request: Request,
    key: Writer,
    context: TraceContext,
    idempotency_key: IdempotencyKey = None,
) -> Asker:
    _check_single(request)
    return Asker(
        key,
        context,
        None if idempotency_key is None else key.idempotency_key_hash(idempotency_key),
        b"" if idempotency_key is None else await _fingerprint(request),
    )


async def _fingerprint(request: Request) -> bytes:
    """Tell what is asked from what else might be: JSON by what it says, not by how it is laid out.

    The attributes of a CloudEvent in binary mode belong to what it says.
    """
    event = sorted(pair for pair in request.headers.items() if pair[0].startswith("ce-"))
    body = await request.body()
    with suppress(ValueError):  # what is no JSON is refused later
        body = json.dumps(from_json(body), sort_keys=True).encode()
    return sha256(b"%s\n%r\n%s" % (request.scope["path"].encode(), event, body)).digest()


def _check_single(request: Request) -> None:
    """Refuse two keys: neither can be meant. Raises RequestValidationError."""
    if len(request.headers.getlist("idempotency-key")) > 1:
        place = ("header", IDEMPOTENCY_KEY)
        raise RequestValidationError([{"type": "value_error", "loc": place, "msg": _TWO_KEYS}])


type Asks = Annotated[Asker, Depends(_asker)]
