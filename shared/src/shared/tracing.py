"""W3C Trace Context: a request that brings no trace starts one at the door.

What is not well-formed is no trace, and harms nobody (Trace Context §4.3).
"""

import re
import secrets
from typing import Final

__all__ = ["trace_id_of", "traceparent_of", "traceparent_or_new"]

_TRACEPARENT: Final = re.compile(r"00-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(header: str | None) -> str | None:
    """Keep a well-formed ``traceparent``: another might not fit into a column, or into a record."""
    return header if header and _TRACEPARENT.fullmatch(header) else None


def traceparent_or_new(header: str | None) -> str:
    """Keep a well-formed ``traceparent``; else begin a new, sampled trace."""
    return traceparent_of(header) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id_of(traceparent: str | None) -> str | None:
    """Take the trace's id out of a ``traceparent``."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match["trace"] if match else None
