"""A minimal HTTP/1.1 client: it sends prepared bytes, and reads only status and length of answers.

A client with all that HTTP can do would use more processor time than intake does.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast, override

from shared.events import SupportRequest

__all__ = ["HttpConnection", "connected", "prepared"]

_LENGTH: Final = b"content-length: "
_END: Final = b"\r\n\r\n"


class HttpConnection(asyncio.Protocol):
    """A keep-alive connection, which counts the answers that are not 2xx."""

    def __init__(self) -> None:
        self.refused = 0
        self.refusal = ""
        self._buffer = b""
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def send(self, what: bytes) -> None:
        """Send a request, wait for its answer. Raises ConnectionError on a closed connection."""
        if self._transport is None:
            raise ConnectionError(self._closed())
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(what)
        await self._answered

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0 or len(self._buffer) < end + len(_END) + _length(self._buffer[:end]):
            return
        if not self._buffer.startswith(b"HTTP/1.1 2"):
            self.refused += 1
            self.refusal = self._buffer.decode(errors="replace")
        self._buffer = b""
        if self._answered is not None:
            self._answered.set_result(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError(self._closed()))

    def _closed(self) -> str:
        return f"intake has closed the connection; {self.refusal[-200:] or 'it sent no answer'}"


async def connected(where: str, count: int) -> list[HttpConnection]:
    """Open ``count`` connections to host:port."""
    host, _, port = where.rpartition(":")
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(HttpConnection, host, int(port)) for _ in range(count)]
    return [connection for _, connection in made]


def prepared(
    wanted: Sequence[SupportRequest], where: str, key: str, per_request: int
) -> list[bytes]:
    """Encode HTTP requests with ``per_request`` support requests each."""
    contents = [request.model_dump_json(exclude_none=True) for request in wanted]
    if per_request == 1:
        return [_post("/v1/tickets", content, where, key) for content in contents]
    groups = [contents[n : n + per_request] for n in range(0, len(contents), per_request)]
    return [
        _post("/v1/tickets:batch", f'{{"tickets":[{",".join(group)}]}}', where, key)
        for group in groups
    ]


def _post(path: str, content: str, where: str, key: str) -> bytes:
    body = content.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {where}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(_LENGTH)
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
