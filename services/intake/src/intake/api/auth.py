"""What an endpoint asks of the key that it is shown."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, forbidden, require_scopes

__all__ = ["Confidant", "Eraser", "Reader", "Writer", "check_source"]

Writer = Annotated[Key, Depends(require_scopes("tickets:write"))]
"""The key of who may send requests and later facts."""
Reader = Annotated[Key, Depends(require_scopes("tickets:read"))]
"""The key of who may read tickets."""
Confidant = Annotated[Key, Depends(require_scopes("details:read"))]
"""The key of who may read what customers wrote."""
Eraser = Annotated[Key, Depends(require_scopes("subjects:erase"))]
"""The key of who may have a person forgotten."""


def check_source(key: Key, source: str) -> None:
    """Refuse with 403 what comes from a source that is not the tenant's."""
    if not key.owns(source):
        raise forbidden(
            f"the source {source!r} is not one of {key.tenant}'s; send one that is, or have it"
            f" given to the tenant with `premium keys create {key.tenant} NAME --source SOURCE`",
        )
