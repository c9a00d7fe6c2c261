"""Fetches what the customer wrote from intake when it is shown; router stores none of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import httpx2
from pydantic import AnyHttpUrl, BaseModel, SecretStr, ValidationError

__all__ = ["Details", "DetailsUnavailable", "IntakeClient", "LaterMessage"]

_WAIT_S_MAX: Final = 3.0


class LaterMessage(BaseModel):
    """A later message; ``written_on`` is the merged ticket to which it was sent, or None."""

    occurred_at: datetime
    body: str
    written_on: UUID | None = None


class Details(BaseModel):
    """What the requester wrote; ``words`` are later messages in order."""

    requester_id: str
    subject: str
    body: str
    phone_number: str | None = None
    words: tuple[LaterMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class DetailsUnavailable:
    """The reason why nothing can be shown, as a sentence."""

    why: str


class IntakeClient:
    """A client of intake's HTTP API, for the details of tickets."""

    def __init__(self, url: AnyHttpUrl | None, key: SecretStr | None) -> None:
        self._url = "" if url is None else str(url).rstrip("/")
        self._key = key

    async def details(self, ticket_id: UUID) -> Details | DetailsUnavailable:
        """Return a ticket's details, or why there are none; intake records each reading."""
        if not self._url or self._key is None:
            return DetailsUnavailable(
                "The inbox has no key to intake: set ROUTER_INTAKE_URL and _KEY."
            )
        headers = {"authorization": f"Bearer {self._key.get_secret_value()}"}
        try:
            async with httpx2.AsyncClient(timeout=_WAIT_S_MAX, headers=headers) as client:
                response = await client.get(f"{self._url}/v1/tickets/{ticket_id}/details")
            if response.status_code == httpx2.codes.NOT_FOUND:
                return DetailsUnavailable(
                    "There is no message for this ticket, or the inbox may not read it."
                )
            response.raise_for_status()
            return Details.model_validate_json(response.content)
        except (httpx2.HTTPError, ValidationError):
            return DetailsUnavailable(
                "The message cannot be loaded right now. The clock is still running."
            )
