"""A lean HTTP/1.1 client: prepared bytes out, of the answer only status and length are read.

A client with all that HTTP can do would take more of the processor than intake does.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast, override

from shared.events import SupportRequest

__all__ = ["HttpLine", "connected", "prepared"]

_LENGTH: Final = b"content-length: "
_END: Final = b"\r\n\r\n"


class HttpLine(asyncio.Protocol):
    """A keep-alive connection; what is not answered with 2xx is counted."""

    def __init__(self) -> None:
        self.refused = 0
        self.refusal = ""
        self._heard = b""
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, what: bytes) -> None:
        """Send, and wait for the answer. Raises ConnectionError when it does not come."""
        if self._transport is None:
            raise ConnectionError(self._closed())
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(what)
        await self._answered

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    @override
    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(_END)
        if end < 0 or len(self._heard) < end + len(_END) + _length(self._heard[:end]):
            return
        if not self._heard.startswith(b"HTTP/1.1 2"):
            self.refused += 1
            self.refusal = self._heard.decode(errors="replace")
        self._heard = b""
        if self._answered is not None:
            self._answered.set_result(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError(self._closed()))

    def _closed(self) -> str:
        return f"intake has closed the connection; {self.refusal[-200:] or 'it said nothing'}"


async def connected(where: str, count: int) -> list[HttpLine]:
    """Open so many connections to host:port."""
    host, _, port = where.rpartition(":")
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(HttpLine, host, int(port)) for _ in range(count)]
    return [line for _, line in made]


def prepared(wanted: Sequence[SupportRequest], where: str, key: str, together: int) -> list[bytes]:
    """Lay requests out as they go over the wire, one each or so many together."""
    contents = [request.model_dump_json(exclude_none=True) for request in wanted]
    if together == 1:
        return [_post("/v1/tickets", content, where, key) for content in contents]
    groups = [contents[n : n + together] for n in range(0, len(contents), together)]
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
