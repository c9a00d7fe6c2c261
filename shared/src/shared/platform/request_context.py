"""The context of a request to an API: its trace and its idempotency key."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from shared.platform.api import TraceContext
from shared.platform.idempotency import HEADER, PATTERN, IdempotencyKey, key_in

__all__ = ["RequestContext", "RequestContextDep"]

_DESCRIPTION = "For 7 days the same key with the same body takes effect once, with the same answer."


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The trace of a request, and the idempotency key that its tenant sent with it."""

    traceparent: str
    key: IdempotencyKey | None


async def _request_context(
    request: Request,
    trace: TraceContext,
    _: Annotated[
        str | None, Header(alias=HEADER, pattern=PATTERN, description=_DESCRIPTION)
    ] = None,
) -> RequestContext:
    return RequestContext(trace, await key_in(request, "tenant", request.state.key.tenant))


type RequestContextDep = Annotated[RequestContext, Depends(_request_context)]
