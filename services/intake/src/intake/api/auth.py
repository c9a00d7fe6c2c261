"""Authorization: the scopes that endpoints require, and the sources of a tenant."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, forbidden, require_scopes

__all__ = ["DetailsReader", "Eraser", "Reader", "Writer", "check_source"]

Writer = Annotated[Key, Depends(require_scopes("tickets:write"))]
"""A key that may send requests and later facts."""
Reader = Annotated[Key, Depends(require_scopes("tickets:read"))]
"""A key that may read tickets and receipts."""
DetailsReader = Annotated[Key, Depends(require_scopes("details:read"))]
"""A key that may read customers' texts."""
Eraser = Annotated[Key, Depends(require_scopes("subjects:erase"))]
"""A key that may erase a requester's data."""


def check_source(key: Key, source: str) -> None:
    """Check that a source belongs to the key's tenant.

    Raises:
        HTTPException: It does not (403).
    """
    if not key.owns(source):
        raise forbidden(
            f"the source {source!r} does not belong to {key.tenant}; use one that does, or have"
            f" it added with `premium keys create {key.tenant} NAME --source SOURCE`",
        )
