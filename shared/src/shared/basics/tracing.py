"""W3C Trace Context: a request without a trace context starts a new trace.

We store a trace context as one text: the ``traceparent``, then a space and the ``tracestate`` if
there is one. A malformed header is ignored, as the standard requires (Trace Context §3.2, §3.3).
"""

import re
import secrets
from typing import Final

__all__ = ["context_of", "context_or_new", "headers_of_context", "trace_id_of"]

_TRACEPARENT: Final = re.compile(r"00-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_MEMBER: Final = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS_MAX: Final = 32
_STATE_CHARACTERS_MAX: Final = 512


def context_of(traceparent: str | None, tracestate: str | None = None) -> str | None:
    """Join ``traceparent`` and ``tracestate``, each if well-formed; None without a traceparent."""
    if not traceparent or not _TRACEPARENT.fullmatch(traceparent):
        return None
    state = _state_of(tracestate) if tracestate else ""
    return f"{traceparent} {state}" if state else traceparent


def context_or_new(traceparent: str | None, tracestate: str | None = None) -> str:
    """Return the trace context if it is well-formed, else that of a new, sampled trace."""
    new = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return context_of(traceparent, tracestate) or new


def headers_of_context(context: str | None) -> list[tuple[str, str]]:
    """Return the headers of a trace context; an empty list for None."""
    if not context:
        return []
    traceparent, _, tracestate = context.partition(" ")
    parent = ("traceparent", traceparent)
    return [parent, ("tracestate", tracestate)] if tracestate else [parent]


def trace_id_of(context: str | None) -> str | None:
    """Return the trace id of a trace context."""
    match = _TRACEPARENT.match(context or "")
    return match["trace"] if match else None


def _state_of(tracestate: str) -> str:
    """Return the normalised ``tracestate``, without empty members; "" if it is malformed."""
    members = [member for part in tracestate.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    is_sound = len(keys) == len(members) <= _MEMBERS_MAX and all(map(_MEMBER.fullmatch, members))
    state = ",".join(members)
    return state if is_sound and len(state) <= _STATE_CHARACTERS_MAX else ""
