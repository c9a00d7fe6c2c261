"""Why a local stack cannot be reached: what of it does not run."""

from pathlib import Path

from devstack.stack import Stack
from devstack.state import Home
from premium.profile import PROFILE_NAME

__all__ = ["reason"]


def reason(profile: Path) -> str | None:
    """Name what does not run of the stack that wrote a profile; None where nothing is missing."""
    if profile.name != PROFILE_NAME or not Home(profile.parent).exists:
        return None
    stack = Stack.attach(profile.parent)
    running, stopped = stack.running()
    if not stopped:
        return None
    what = f"{', '.join(stopped)} of the stack" if running else "the stack"
    return f"{what} in {stack.folder} does not run: run `premium up`"
