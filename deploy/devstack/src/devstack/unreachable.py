"""Why a local stack cannot be reached: which of its servers do not run."""

from pathlib import Path

from devstack.stack import Stack
from devstack.state import Home
from premium.profile import PROFILE_NAME

__all__ = ["reason"]


def reason(profile: Path) -> str | None:
    """Name a stack's servers that do not run; None if all run, or no stack wrote the profile."""
    if profile.name != PROFILE_NAME or not Home(profile.parent).exists:
        return None
    stack = Stack.attach(profile.parent)
    running, stopped = stack.running()
    if not stopped:
        return None
    what = f"{', '.join(stopped)} of the stack" if running else "the stack"
    return f"{what} in {stack.folder} does not run: run `premium up`"
