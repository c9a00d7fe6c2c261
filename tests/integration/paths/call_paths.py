"""Records which of our files the control flow passes on its way to a function."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["CallPaths", "recorded"]

_TOOL: Final = 4
_SOURCE: Final = "/src/"
_OURS: Final = ("services", "shared", "deploy")
_ROOT: Final = Path(__file__).parents[3]


class CallPaths:
    """The files on the call stack at each start of an end function, outermost first."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}

    def on_start(self, _code: CodeType, _offset: int) -> None:
        """Add the files of the running stack, down to the function that starts."""
        frame: FrameType | None = sys._getframe(1)
        stack = []
        while frame is not None:
            stack.append(frame.f_code.co_filename)
            frame = frame.f_back
        self.files |= dict.fromkeys(filter(None, map(_ours, reversed(stack))))


@contextmanager
def recorded(*ends: Callable[..., Any]) -> Iterator[CallPaths]:
    """Record the paths to these functions, in whatever task they are called."""
    paths, monitoring = CallPaths(), sys.monitoring
    monitoring.use_tool_id(_TOOL, "call paths")
    monitoring.register_callback(_TOOL, monitoring.events.PY_START, paths.on_start)
    for end in ends:
        monitoring.set_local_events(_TOOL, end.__code__, monitoring.events.PY_START)
    try:
        yield paths
    finally:
        for end in ends:
            monitoring.set_local_events(_TOOL, end.__code__, 0)
        monitoring.free_tool_id(_TOOL)


def _ours(file: str) -> str | None:
    """Return a file of the product relative to its source folder; None for all others."""
    path = Path(file)
    if not path.is_relative_to(_ROOT) or path.relative_to(_ROOT).parts[0] not in _OURS:
        return None
    return file.partition(_SOURCE)[2] or None
