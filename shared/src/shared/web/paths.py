"""Where people sign in, for who makes links as well as for who serves them."""

from typing import Final

__all__ = ["LINK", "SIGN_IN"]

SIGN_IN: Final = "/sign-in"
LINK: Final = f"{SIGN_IN}/link"
"""The path of a personal link, up to its secret."""
