"""Trace contexts: parsing and serialising the two headers."""

from typing import Final

import pytest

from shared.basics.tracing import context_of, context_or_new, headers_of_context, trace_id_of

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT: Final = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "state", ["vendor=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "tenant@system=a:b/c d!"]
)
def test_a_context_is_written_as_it_came(state: str) -> None:
    """One or both headers are kept; the trace id can be read."""
    both, parent = context_of(PARENT, state), context_of(PARENT)
    assert headers_of_context(both) == [("traceparent", PARENT), ("tracestate", state)]
    assert headers_of_context(parent) == [("traceparent", PARENT)]
    assert trace_id_of(both) == trace_id_of(parent) == TRACE


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (" a=1 ,, b=2 ", "a=1,b=2"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a=1\r\nx: y", ""),
        ("a=\xe9", ""),
        ("a", ""),
        (",".join(f"k{number}=1" for number in range(33)), ""),
        (f"a={'x' * 255},b={'x' * 255}", ""),
    ],
)
def test_a_malformed_state_is_dropped(state: str, kept: str) -> None:
    """A malformed tracestate is dropped, the trace continues (Trace Context, 3.3.1)."""
    assert context_of(PARENT, state) == (f"{PARENT} {kept}" if kept else PARENT)


@pytest.mark.parametrize("parent", [None, "", "00-1-2-01", PARENT.upper(), f"{PARENT}-x"])
def test_a_malformed_trace_is_replaced_or_ignored(parent: str | None) -> None:
    """A malformed traceparent starts a new trace for requests, and is ignored for events."""
    assert context_of(parent, "vendor=1") is None
    assert headers_of_context(None) == []
    new = context_or_new(parent, "vendor=1")
    assert trace_id_of(new) not in {None, TRACE}
