"""The clients of the demo: intake's and router's HTTP APIs, and Kafka."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple, override
from uuid import UUID

import aiohttp

from lab.demo.day import Message
from lab.demo.sent import SentMessages
from lab.proof.retry import with_retry
from premium.topics import compacted_record
from shared.basics.errors import Transient
from shared.events import INBOUND_TOPIC, Envelope, Event, LaterFact
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Clients"]

_JSON: Final = {"content-type": "application/json"}
_ACCEPTED: Final = {HTTPStatus.OK, HTTPStatus.ACCEPTED}


class _Answer(NamedTuple):
    status: int
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.status} {self.text}"


@dataclass(slots=True)
class Clients:
    """Sends messages, with retries while a service is unreachable, and records what was sent.

    ``unexpected_answers`` has a line for each answer that was not the expected one.
    """

    http: aiohttp.ClientSession
    publisher: Publisher
    intake: str
    intake_headers: Mapping[str, str]
    router: str
    router_headers: Mapping[str, str]
    sent: SentMessages = field(default_factory=SentMessages)
    unexpected_answers: list[str] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """Send one message of the day, by its transport."""
        if message.transport == "http":
            await self._post_document(message)
        else:
            headers = list(message.headers)
            await self._publish(Outgoing(INBOUND_TOPIC, message.key, message.value, headers))
        if message.document:
            self.sent.add(message.document)
        else:
            self.sent.bad_messages.append(message)

    async def send_fact(self, fact: LaterFact) -> None:
        """Send a later fact over HTTP."""
        value = fact.model_dump_json(exclude_none=True).encode()
        at, key = fact.occurred_at, fact.external_id.encode()
        await self.send(Message(at, "http", key, value, document=fact))

    async def decline(self, ticket_id: UUID, specialist_id: str, reason: str) -> None:
        """Decline a ticket; a conflict is expected if it was reassigned meanwhile."""
        await self._action(f"tickets/{ticket_id}/decline", specialist_id, reason=reason)

    async def accept(self, offer_id: UUID, specialist_id: str) -> None:
        """Accept an offer; a conflict is expected if it has ended meanwhile."""
        await self._action(f"offers/{offer_id}/accept", specialist_id)

    async def decline_offer(self, offer_id: UUID, specialist_id: str, reason: str) -> None:
        """Decline an offer; likewise."""
        await self._action(f"offers/{offer_id}/decline", specialist_id, reason=reason)

    async def rules(self) -> dict[str, Any]:
        """Read router's offer rules."""
        answer = await with_retry(lambda: self._ask_router("GET", "rules"))
        found: dict[str, Any] = json.loads(answer.text)
        return found

    async def set_rules(self, rules: Mapping[str, Any]) -> None:
        """Set router's offer rules."""
        answer = await with_retry(lambda: self._ask_router("PUT", "rules", json=rules))
        if answer.status not in _ACCEPTED:
            self.unexpected_answers.append(f"rules: {answer}")

    async def announce(self, envelope: Envelope[Event]) -> None:
        """Publish an event as a workforce system does."""
        await self._publish(compacted_record(envelope))

    async def _action(self, what: str, specialist_id: str, **more: str) -> None:
        body = {"specialist_id": specialist_id, **more}
        answer = await with_retry(lambda: self._ask_router("POST", what, json=body))
        if answer.status not in {*_ACCEPTED, HTTPStatus.CONFLICT}:
            self.unexpected_answers.append(f"{what}: {answer}")

    async def _post_document(self, message: Message) -> None:
        path = "events" if isinstance(message.document, LaterFact) else "tickets"
        place = f"{self.intake}/v1/{path}"
        headers = {**_JSON, **self.intake_headers}
        answer = await with_retry(
            lambda: self._send("POST", place, data=message.value, headers=headers)
        )
        expected = _ACCEPTED if message.document else {int(message.reason)}
        if answer.status not in expected:
            self.unexpected_answers.append(f"{path[:-1]} {message.key.decode()}: {answer}")

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
