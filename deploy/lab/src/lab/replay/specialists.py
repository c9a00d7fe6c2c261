"""The specialists of a replay: whatever rings at them they accept, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

import aiohttp

from lab.proof.patience import patiently
from lab.proof.tables import Tables
from shared.basics.errors import Transient

__all__ = ["Specialists", "specialists"]

_HANDS: Final = 8
_HTTP_S: Final = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Specialists:
    """They wait patiently while router is away: an offer accepted twice is accepted once."""

    http: aiohttp.ClientSession
    tables: Tables
    router: str

    async def pick_up(self) -> int:
        """Accept all that rings; how much that was comes back."""
        ringing = await patiently(self.tables.ringing)
        hands = asyncio.Semaphore(_HANDS)

        async def accept(offer_id: UUID, specialist_id: str) -> None:
            async with hands:
                await patiently(lambda: self._accept(offer_id, specialist_id))

        async with asyncio.TaskGroup() as group:
            for offer_id, specialist_id in ringing:
                group.create_task(accept(offer_id, specialist_id))
        return len(ringing)

    async def assign_directly(self) -> None:
        """Let nothing ring: in time that runs fast nobody is fast enough to accept."""

        async def put() -> None:
            await self._send("PUT", f"{self.router}/v1/rules", {"rings": {}})

        await patiently(put)

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
    """Let them sit down; ``headers`` show router the key of who speaks for all of them."""
    async with aiohttp.ClientSession(timeout=_HTTP_S, headers=headers) as http:
        yield Specialists(http, tables, router)
