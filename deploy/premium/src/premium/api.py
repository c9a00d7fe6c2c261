"""Requests to the services' HTTP APIs, with the URLs and keys of a profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from json import loads
from typing import Final
from uuid import uuid4

import aiohttp
from pydantic import TypeAdapter, ValidationError

from premium.errors import CommandError
from premium.profile import CHECK, Profile
from shared.platform.admin_api import ADMIN, BusinessTime
from shared.platform.api_keys import Keyed

__all__ = ["NotFoundError", "ServiceApi", "admin_api", "now"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_TRIES: Final = 2


class NotFoundError(CommandError):
    """The service answers 404."""


@dataclass(frozen=True)
class ServiceApi:
    """A service's API: its URL up to the paths of requests, and the header with the key."""

    service: Keyed
    url: str
    headers: Mapping[str, str]

    async def get[T](self, path: str, kind: type[T]) -> T:
        """Get a resource. Raises CommandError as `send`."""
        return await self.send("GET", path, kind)

    async def send[T](self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """Send a request and read the response as ``kind``.

        If no response arrives the request is repeated; by its Idempotency-Key it has one effect.

        Raises:
            CommandError: the service is unreachable, or refuses the request.
            NotFoundError: it answers 404.
        """
        status, content = await self._answer(method, path, body)
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._refusal(status, content)
        try:
            return TypeAdapter(kind).validate_json(content or b"null")
        except ValidationError:
            raise CommandError(
                f"cannot read {self.service}'s response: it and this command must have one version"
            ) from None

    async def _answer(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        place, service = f"{self.url}{path}", self.service
        headers = {**self.headers, "Idempotency-Key": str(uuid4())}
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
            for tries_left in reversed(range(_TRIES)):
                try:
                    async with http.request(method, place, json=body) as answer:
                        return answer.status, await answer.read()
                except (aiohttp.ClientError, TimeoutError) as e:
                    if not tries_left:
                        raise CommandError(
                            f"{service} does not answer at {place} ({type(e).__name__}); {CHECK}"
                        ) from e
        raise AssertionError

    def _refusal(self, status: int, content: bytes) -> CommandError:
        try:
            detail = loads(content)["detail"]
        except (ValueError, KeyError, TypeError):
            detail = f"answers {status}; see its log"
        kind = NotFoundError if status == HTTPStatus.NOT_FOUND else CommandError
        return kind(f"{self.service}: {detail}")


def admin_api(profile: Profile, service: Keyed) -> ServiceApi:
    """Return a service's admin endpoints, with the profile's admin key."""
    return ServiceApi(
        service, f"{profile.url(service)}{ADMIN}", profile.headers(service, "admin_key_file")
    )


async def now(profile: Profile) -> datetime:
    """Return intake's time: by it intake decides to which requests a record applies."""
    return (await admin_api(profile, "intake").get("/time", BusinessTime)).now
