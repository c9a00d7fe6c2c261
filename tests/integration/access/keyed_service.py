"""A service's HTTP API with API keys, and the operator who creates them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient, Response

from shared.platform.access import Authenticator, store
from shared.platform.api_keys import ApiKey, Keyed, make_key
from shared.testing.keys import connected, new_key

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
        scopes: Sequence[str] | None = None,
        owned: Sequence[str] = (),
        burst: int = 1000,
    ) -> ApiKey:
        """Create a key, by default with all scopes."""
        return await new_key(
            self.owner_dsn,
            self.service,
            tenant=tenant,
            scopes=scopes,
            owned=owned,
            rate_per_s=1,
            burst=burst,
        )

    async def second_key(self, tenant: str = "northwind") -> ApiKey:
        """Begin the rotation of a key."""
        key = make_key()
        async with connected(self.owner_dsn) as owner:
            await store.rotate(owner, self.service, tenant, "test", key)
        return key

    async def end(self, key: ApiKey) -> None:
        """Revoke a key."""
        async with connected(self.owner_dsn) as owner:
            await store.revoke(owner, key.prefix)

    async def stored(self, statement: str, *values: object) -> Any:  # noqa: ANN401 - a column is any
        """Read a value from the database, as its owner."""
        async with connected(self.owner_dsn) as owner:
            return await owner.fetchval(statement, *values)

    async def ask(self, key: ApiKey | None) -> Response:
        """Send a GET of ``path``."""
        return await self.http.get(self.path, headers=bearer(key) if key else {})

    async def admin(self) -> AsyncClient:
        """Authenticate the client with the admin key `operator/ada`, and return it."""
        key = await new_key(
            self.owner_dsn, self.service, tenant="operator", name="ada", scopes=["admin"], owned=()
        )
        self.http.headers.update(bearer(key))
        return self.http


def bearer(key: ApiKey) -> dict[str, str]:
    """Return the header with a key."""
    return {"authorization": f"Bearer {key.text}"}
