"""An API key for all of router."""

from shared.testing.databases import FreshDatabase
from shared.testing.keys import new_key

__all__ = ["key_for_all_specialists"]


async def key_for_all_specialists(fresh: FreshDatabase) -> str:
    """Create the key `desk/test`, which may act as any specialist."""
    return (await new_key(fresh.owner_dsn, "router", tenant="desk")).text
