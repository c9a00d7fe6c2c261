"""What an endpoint asks of the key that it is shown."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, forbidden, require_scopes

__all__ = ["Actor", "Holder", "Lead", "Reader", "check_specialist"]

Reader = Annotated[Key, Depends(require_scopes("desk:read"))]
"""The key of who may see how the desk stands."""
Actor = Annotated[Key, Depends(require_scopes("desk:act"))]
"""The key of who may act as the specialists that the tenant speaks for."""
Lead = Annotated[Key, Depends(require_scopes("desk:lead"))]
"""The key of who may decide for others."""
Holder = Annotated[Key, Depends(require_scopes())]
"""Any key in force: what is asked for decides which scope that needs."""


def check_specialist(key: Key, specialist_id: str) -> None:
    """Refuse with 403 an act as somebody for whom the tenant does not speak."""
    if not key.owns(specialist_id):
        raise forbidden(
            f"{key.tenant} does not speak for the specialist {specialist_id!r}; act as one for whom"
            f" it does, or have it allowed with `premium keys create {key.tenant} NAME"
            " --service router --scope desk:act --specialist SPECIALIST`",
        )
