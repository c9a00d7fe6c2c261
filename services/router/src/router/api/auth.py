"""What an endpoint asks of the key that it is shown."""

from typing import Annotated

from fastapi import Depends

from shared.platform.access import Key, forbidden, needing

__all__ = ["ActKey", "AnyKey", "LeadKey", "ReadKey", "check_specialist"]

ReadKey = Annotated[Key, Depends(needing("desk:read"))]
"""The key of who may see how the desk stands."""
ActKey = Annotated[Key, Depends(needing("desk:act"))]
"""The key of who may act as the specialists that the tenant speaks for."""
LeadKey = Annotated[Key, Depends(needing("desk:lead"))]
"""The key of who may decide for others."""
AnyKey = Annotated[Key, Depends(needing())]
"""Any key in force: what is asked for decides which scope that needs."""


def check_specialist(key: Key, specialist_id: str) -> None:
    """Refuse with 403 an act as somebody for whom the tenant does not speak."""
    if not key.owns(specialist_id):
        raise forbidden(
            f"{key.tenant} does not speak for the specialist {specialist_id!r}; act as one for whom"
            f" it does, or have it allowed with `premium keys create {key.tenant} NAME"
            " --service router --scope desk:act --specialist SPECIALIST`",
        )
