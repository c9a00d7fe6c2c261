"""The API keys and scopes that endpoints require."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, forbidden, require_scopes

__all__ = ["ActKey", "AnyKey", "LeadKey", "ReadKey", "check_specialist"]

ReadKey = Annotated[Key, Depends(require_scopes("desk:read"))]
"""A key that may read queue, load and decisions."""
ActKey = Annotated[Key, Depends(require_scopes("desk:act"))]
"""A key that may act as the specialists assigned to its tenant."""
LeadKey = Annotated[Key, Depends(require_scopes("desk:lead"))]
"""A key that may act as a lead."""
AnyKey = Annotated[Key, Depends(require_scopes())]
"""Any valid key; the endpoint itself checks the scope that the request needs."""


def check_specialist(key: Key, specialist_id: str) -> None:
    """Refuse with 403 if the key's tenant may not act as the specialist."""
    if not key.owns(specialist_id):
        raise forbidden(
            f"{key.tenant} may not act as the specialist {specialist_id!r}; use one of its own"
            f" specialists, or allow it with `premium keys create {key.tenant} NAME"
            " --service router --scope desk:act --specialist SPECIALIST`",
        )
