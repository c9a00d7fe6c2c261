"""The permissions that endpoints require of a key."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, require_scopes
from shared.platform.api_keys import EVERY

__all__ = ["Reader", "sees"]

Reader = Annotated[Key, Depends(require_scopes("clocks:read"))]
"""The caller's key, with the scope to read clocks."""


def sees(key: Key, account_id: str | None) -> bool:
    """Return whether a key may read an account; None (not known yet) needs an unlimited key."""
    return key.owns(EVERY if account_id is None else account_id)
