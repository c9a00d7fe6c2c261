"""What an endpoint asks of the key that it is shown."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, require_scopes
from shared.platform.api_keys import EVERY

__all__ = ["Reader", "sees"]

Reader = Annotated[Key, Depends(require_scopes("clocks:read"))]
"""The key of who may read how promises stand."""


def sees(key: Key, account_id: str | None) -> bool:
    """Return whether a key reaches an account; one that is not known yet, only without limits."""
    return key.owns(EVERY if account_id is None else account_id)
