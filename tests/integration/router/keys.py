"""A key for everything, at router's door."""

from premium.keys.store import Grant, connected, create
from shared.platform.api_keys import EVERY, SCOPES
from shared.testing.databases import FreshDatabase

__all__ = ["key_for_everybody"]


async def key_for_everybody(fresh: FreshDatabase) -> str:
    """Make the key `desk/test`, of a desk that acts for everybody."""
    async with connected(fresh.owner_dsn) as owner:
        grant = Grant("desk", "test", SCOPES["router"], [EVERY], service="router")
        return (await create(owner, grant)).text
