"""The specialists of a replay, who accept every offer over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

import aiohttp

from lab.proof.retry import with_retry
from lab.proof.tables import Tables
from shared.basics.errors import Transient

__all__ = ["Specialists", "specialists"]

_CONCURRENT_MAX: Final = 8
_HTTP_S: Final = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Specialists:
    """Accepts offers, with retries while router is unreachable; accepting twice is harmless."""

    http: aiohttp.ClientSession
    tables: Tables
    router: str

    async def accept_all(self) -> list[UUID]:
        """Accept all open offers, and return them."""
        ringing = await with_retry(self.tables.ringing)
        slots = asyncio.Semaphore(_CONCURRENT_MAX)

        async def accept(offer_id: UUID, specialist_id: str) -> None:
            async with slots:
                await with_retry(lambda: self._accept(offer_id, specialist_id))

        async with asyncio.TaskGroup() as group:
            for offer_id, specialist_id in ringing:
                group.create_task(accept(offer_id, specialist_id))
        return [offer_id for offer_id, _ in ringing]

    async def assign_directly(self) -> None:
        """Turn offers off: when time runs fast, their leases would end before an answer."""

        async def put() -> None:
            await self._send("PUT", f"{self.router}/v1/rules", {"rings": {}})

        await with_retry(put)

    async def _accept(self, offer_id: UUID, specialist_id: str) -> None:
        place = f"{self.router}/v1/offers/{offer_id}/accept"
        await self._send("POST", place, {"specialist_id": specialist_id})

    async def _send(self, verb: str, place: str, body: dict[str, object]) -> None:
        try:
            async with self.http.request(verb, place, json=body) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Transient(f"{place}: {type(e).__name__}: {e}") from e
        if status not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
            raise Transient(f"{place}: {status} {text}")


@asynccontextmanager
async def specialists(
    tables: Tables, router: str, headers: Mapping[str, str]
) -> AsyncIterator[Specialists]:
    """Open the client; ``headers`` has the API key that may act for all specialists."""
    async with aiohttp.ClientSession(timeout=_HTTP_S, headers=headers) as http:
        yield Specialists(http, tables, router)
