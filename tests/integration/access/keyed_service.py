"""A service's HTTP API with API keys, and the operator who creates them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient, Response

from premium.keys.store import Grant, connected, create, revoke, rotate
from shared.platform.access import Authenticator
from shared.platform.api_keys import SCOPES, ApiKey, Keyed, Scope

__all__ = ["KeyedApi", "ManualClock", "bearer"]


class ManualClock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class KeyedApi:
    """A GET of ``path`` with a key with all scopes responds with ``answer``."""

    service: Keyed
    http: AsyncClient
    access: Authenticator
    clock: ManualClock
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
        """Create a key, by default with all scopes."""
        wanted = SCOPES[self.service] if scopes is None else scopes
        grant = Grant(
            tenant, "test", wanted, owned, rate_per_s=1, burst=burst, service=self.service
        )
        async with connected(self.owner_dsn) as owner:
            return await create(owner, grant)

    async def second_key(self, tenant: str = "northwind") -> ApiKey:
        """Begin the rotation of a key."""
        async with connected(self.owner_dsn) as owner:
            return await rotate(owner, tenant, "test", self.service)

    async def end(self, key: ApiKey) -> None:
        """Revoke a key."""
        async with connected(self.owner_dsn) as owner:
            await revoke(owner, key.prefix)

    async def stored(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - a column is any
        """Read a value from the database, as its owner."""
        async with connected(self.owner_dsn) as owner:
            return await owner.fetchval(statement, *values)

    async def ask(self, key: ApiKey | None) -> Response:
        """Send a GET of ``path``."""
        return await self.http.get(self.path, headers=bearer(key) if key else {})


def bearer(key: ApiKey) -> dict[str, str]:
    """Return the header with a key."""
    return {"authorization": f"Bearer {key.text}"}
