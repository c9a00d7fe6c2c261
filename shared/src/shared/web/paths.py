"""The paths of sign-in, shared by the pages and by the command that makes links."""

from typing import Final

__all__ = ["LINK", "SIGN_IN"]

SIGN_IN: Final = "/sign-in"
LINK: Final = f"{SIGN_IN}/link"
"""The path of a sign-in link, without its secret."""
