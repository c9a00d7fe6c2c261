"""What stands around a body, on a real connection: so large, and so slow."""

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
        """Send, and read a head, or to the end of the connection."""
        self.writer.write(request)
        async with asyncio.timeout(WAIT_S_MAX):
            if closed:
                return await self.reader.read()
            head = await self.reader.readuntil(b"\r\n\r\n")
            return head + await self.reader.readexactly(2)


class Hasty(HeaderLimits):
    """Waits for nobody."""

    wait_s_max = 0.2


type Connect = Callable[[type[HeaderLimits]], Awaitable[Line]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Serve on a port of the loopback, and connect."""
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


async def test_head_after_head_is_served(connect: Connect) -> None:
    """Each has the whole room for itself."""
    line = await connect(HeaderLimits)
    request = GET + b"x: " + b"y" * (HEADER_BYTES_MAX // 2) + b"\r\n\r\n"
    for _ in range(4):
        assert (await line.answer(request)).endswith(b"ok")


async def test_a_head_without_end_is_cut_off(connect: Connect) -> None:
    """It is not kept to see what becomes of it."""
    line = await connect(HeaderLimits)
    answer = await line.answer(GET + b"x: " + b"y" * HEADER_BYTES_MAX, closed=True)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("beginning", [b"", GET, GET + b"\r\n" + GET])
async def test_a_head_that_does_not_arrive_is_given_up(connect: Connect, beginning: bytes) -> None:
    """Neither the first nor one that follows another."""
    line = await connect(Hasty)
    answers = await line.answer(beginning, closed=True)
    assert answers.count(b"HTTP/1.1 200 ") == beginning.count(b"\r\n\r\n")


async def test_the_rest_of_a_body_that_nobody_reads_is_given_up(connect: Connect) -> None:
    """Whoever is refused before the body was read cannot hold the connection by it."""
    line = await connect(Hasty)
    answer = await line.answer(GET + b"content-length: 9\r\n\r\n{", closed=True)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_rests_between_requests_is_kept(connect: Connect) -> None:
    """Longer than a head may take: how long is the server's keep-alive."""
    request = GET + b"content-length: 1\r\n\r\n{"
    line = await connect(Hasty)
    assert (await line.answer(request)).endswith(b"ok")
    silent = await connect(Hasty)
    assert await silent.answer(b"", closed=True) == b""
    assert (await line.answer(request)).endswith(b"ok")
