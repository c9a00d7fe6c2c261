"""Limits on the size and arrival time of request headers, on real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from shared.platform.header_limits import HEADER_BYTES_MAX, HeaderLimits

GET = b"GET / HTTP/1.1\r\nhost: here\r\n"
WAIT_S_MAX = 10


class Line(NamedTuple):
    """A connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, request: bytes, *, closed: bool = False) -> bytes:
        """Send data, and read a response's headers, or to the end of the connection."""
        self.writer.write(request)
        async with asyncio.timeout(WAIT_S_MAX):
            if closed:
                return await self.reader.read()
            head = await self.reader.readuntil(b"\r\n\r\n")
            return head + await self.reader.readexactly(2)


class Impatient(HeaderLimits):
    """The protocol with a time limit of zero."""

    wait_s_max = 0.2


type Connect = Callable[[type[HeaderLimits]], Awaitable[Line]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Serve on a loopback port, and connect."""
    opened: list[tuple[asyncio.Server, Line]] = []

    async def ok(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def connected(kind: type[HeaderLimits]) -> Line:
        config = uvicorn.Config(Starlette(routes=[Route("/", ok)]), lifespan="off", log_config=None)
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        line = Line(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        opened.append((server, line))
        return line

    yield connected
    for server, line in opened:
        line.writer.close()
        await line.writer.wait_closed()
        server.close()
        await server.wait_closed()


async def test_the_size_limit_is_per_request(connect: Connect) -> None:
    """The size limit applies to each request separately."""
    line = await connect(HeaderLimits)
    request = GET + b"x: " + b"y" * (HEADER_BYTES_MAX // 2) + b"\r\n\r\n"
    for _ in range(4):
        assert (await line.answer(request)).endswith(b"ok")


async def test_headers_that_are_too_large_are_refused(connect: Connect) -> None:
    """Headers beyond the size limit end the connection."""
    line = await connect(HeaderLimits)
    answer = await line.answer(GET + b"x: " + b"y" * HEADER_BYTES_MAX, closed=True)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("beginning", [b"", GET, GET + b"\r\n" + GET])
async def test_headers_that_do_not_arrive_end_the_connection(
    connect: Connect, beginning: bytes
) -> None:
    """Incomplete headers end the connection, of the first or a later request."""
    line = await connect(Impatient)
    answers = await line.answer(beginning, closed=True)
    assert answers.count(b"HTTP/1.1 200 ") == beginning.count(b"\r\n\r\n")


async def test_the_rest_of_an_unread_body_has_a_time_limit(connect: Connect) -> None:
    """A refused request cannot hold the connection by the rest of its body."""
    line = await connect(Impatient)
    answer = await line.answer(GET + b"content-length: 9\r\n\r\n{", closed=True)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_an_idle_connection_is_kept(connect: Connect) -> None:
    """An idle connection may last longer than headers may take."""
    request = GET + b"content-length: 1\r\n\r\n{"
    line = await connect(Impatient)
    assert (await line.answer(request)).endswith(b"ok")
    silent = await connect(Impatient)
    assert await silent.answer(b"", closed=True) == b""
    assert (await line.answer(request)).endswith(b"ok")
