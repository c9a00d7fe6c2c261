"""A service's door that wants keys, and the operator who makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient, Response

from premium.keys.store import Grant, connected, create, revoke, rotate
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES, ApiKey, Keyed, Scope

__all__ = ["Door", "Hand", "shown"]


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class Door:
    """``path`` can be read by who has all scopes, and is answered ``answer`` then."""

    service: Keyed
    http: AsyncClient
    access: Authenticator
    hand: Hand
    owner_dsn: str
    path: str = ""
    answer: int = 200

    async def key(
        self,
        tenant: str = "northwind",
        scopes: Sequence[Scope] | None = None,
        owned: Sequence[str] = (),
        burst: int = 1000,
    ) -> ApiKey:
        """Make a key; one for everything if no scopes are named."""
        wanted = SCOPES[self.service] if scopes is None else scopes
        grant = Grant(
            tenant, "test", wanted, owned, rate_per_s=1, burst=burst, service=self.service
        )
        async with connected(self.owner_dsn) as owner:
            return await create(owner, grant)

    async def second_key(self, tenant: str = "northwind") -> ApiKey:
        """Begin to replace a key."""
        async with connected(self.owner_dsn) as owner:
            return await rotate(owner, tenant, "test", self.service)

    async def end(self, key: ApiKey) -> None:
        """Revoke a key."""
        async with connected(self.owner_dsn) as owner:
            await revoke(owner, key.prefix)

    async def told(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - a column is any
        """Ask the database, as the owner."""
        async with connected(self.owner_dsn) as owner:
            return await owner.fetchval(statement, *values)

    async def ask(self, key: ApiKey | None) -> Response:
        """Read what stands behind the door."""
        return await self.http.get(self.path, headers=shown(key) if key else {})


def shown(key: ApiKey) -> dict[str, str]:
    """Show a key."""
    return {"authorization": f"Bearer {key.text}"}
