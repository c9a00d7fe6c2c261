"""The doors that upstream systems and specialists use: intake's and router's HTTP, and Kafka."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple, override
from uuid import UUID

import aiohttp

from lab.demo.day import Sending
from lab.demo.ledger import Ledger
from lab.proof.retry import with_retry
from premium.topics import compacted_record
from shared.basics.errors import Transient
from shared.events import INBOUND_TOPIC, Envelope, Event, LaterFact
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Doors"]

_JSON: Final = {"content-type": "application/json"}
_TAKEN: Final = {HTTPStatus.OK, HTTPStatus.ACCEPTED}


class _Answer(NamedTuple):
    status: int
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.status} {self.text}"


@dataclass(slots=True)
class Doors:
    """Sends, with_retry while a service is away, and writes into the ledger what was taken.

    ``surprises`` holds every answer that was not the expected one, a line each.
    """

    http: aiohttp.ClientSession
    publisher: Publisher
    intake: str
    intake_headers: Mapping[str, str]
    router: str
    router_headers: Mapping[str, str]
    ledger: Ledger = field(default_factory=Ledger)
    surprises: list[str] = field(default_factory=list)

    async def send(self, sending: Sending) -> None:
        """Hand over one message of the day, by its door."""
        if sending.door == "http":
            await self._post_document(sending)
        else:
            headers = list(sending.headers)
            await self._publish(Outgoing(INBOUND_TOPIC, sending.key, sending.value, headers))
        if sending.document:
            self.ledger.write(sending.document)
        else:
            self.ledger.garbage.append(sending)

    async def tell(self, fact: LaterFact) -> None:
        """Tell a later fact over HTTP."""
        value = fact.model_dump_json(exclude_none=True).encode()
        at, key = fact.occurred_at, fact.external_id.encode()
        await self.send(Sending(at, "http", key, value, document=fact))

    async def decline(self, ticket_id: UUID, specialist_id: str, reason: str) -> None:
        """Hand a ticket back; that somebody was faster is no surprise."""
        await self._act(f"tickets/{ticket_id}/decline", specialist_id, reason=reason)

    async def accept(self, offer_id: UUID, specialist_id: str) -> None:
        """Take what rings; that it rings no more is no surprise."""
        await self._act(f"offers/{offer_id}/accept", specialist_id)

    async def decline_offer(self, offer_id: UUID, specialist_id: str, reason: str) -> None:
        """Let what rings go on; likewise."""
        await self._act(f"offers/{offer_id}/decline", specialist_id, reason=reason)

    async def rules(self) -> dict[str, Any]:
        """Read by which rules it rings."""
        answer = await with_retry(lambda: self._ask_router("GET", "rules"))
        found: dict[str, Any] = json.loads(answer.text)
        return found

    async def ring_by(self, rules: Mapping[str, Any]) -> None:
        """Let it ring by other rules."""
        answer = await with_retry(lambda: self._ask_router("PUT", "rules", json=rules))
        if answer.status not in _TAKEN:
            self.surprises.append(f"rules: {answer}")

    async def announce(self, envelope: Envelope[Event]) -> None:
        """Publish an event as the workforce system does."""
        await self._publish(compacted_record(envelope))

    async def _act(self, what: str, specialist_id: str, **more: str) -> None:
        body = {"specialist_id": specialist_id, **more}
        answer = await with_retry(lambda: self._ask_router("POST", what, json=body))
        if answer.status not in {*_TAKEN, HTTPStatus.CONFLICT}:
            self.surprises.append(f"{what}: {answer}")

    async def _post_document(self, sending: Sending) -> None:
        path = "events" if isinstance(sending.document, LaterFact) else "tickets"
        place = f"{self.intake}/v1/{path}"
        headers = {**_JSON, **self.intake_headers}
        answer = await with_retry(
            lambda: self._send("POST", place, data=sending.value, headers=headers)
        )
        expected = _TAKEN if sending.document else {int(sending.reason)}
        if answer.status not in expected:
            self.surprises.append(f"{path[:-1]} {sending.key.decode()}: {answer}")

    async def _ask_router(self, verb: str, what: str, **content: Any) -> _Answer:  # noqa: ANN401 - aiohttp's own
        place = f"{self.router}/v1/{what}"
        return await self._send(verb, place, headers=self.router_headers, **content)

    async def _send(self, verb: str, place: str, **content: Any) -> _Answer:  # noqa: ANN401 - aiohttp's own
        try:
            async with self.http.request(verb, place, **content) as response:
                answer = _Answer(response.status, await response.text())
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Transient(f"{place}: {type(e).__name__}: {e}") from e
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise Transient(f"{place}: {answer.text}")
        return answer

    async def _publish(self, record: Outgoing) -> None:
        await with_retry(lambda: self.publisher.publish([record]))
