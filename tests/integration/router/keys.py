"""An API key for all of router."""

from premium.keys.store import Grant, connected, create
from shared.platform.api_keys import EVERY, SCOPES
from shared.testing.databases import FreshDatabase

__all__ = ["key_for_all_specialists"]


async def key_for_all_specialists(fresh: FreshDatabase) -> str:
    """Create the key `desk/test`, which may act as any specialist."""
    async with connected(fresh.owner_dsn) as owner:
        grant = Grant("desk", "test", SCOPES["router"], [EVERY], service="router")
        return (await create(owner, grant)).text
