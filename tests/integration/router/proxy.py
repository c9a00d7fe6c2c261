"""A proxy between router and PostgreSQL that injects a fault at a chosen message."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

__all__ = ["Fault", "Message", "Proxy", "run_proxy"]

_STARTING: Final = frozenset((80877103, 80877102))
"""Codes of a TLS request and of a cancel request, which come before or instead of a session."""
_TLS: Final = 80877103
_ROLLBACK: Final = b"Q" + (13).to_bytes(4) + b"ROLLBACK\0"
_ENDS: Final = frozenset(b"HSQcf")
"""Kinds of messages that the server responds to: Flush, Sync, Query, and the end of a COPY."""

type Fault = Literal["pass", "cut", "answer lost", "40P01", "40001"]
"""What happens to a message; a code is the PostgreSQL error that it gets as its response."""


@dataclass(frozen=True)
class Message:
    """A message from router that gets a response.

    ``number`` counts the messages of its transaction from BEGIN, which is 1; it is 0 outside of
    transactions. ``first`` is the message after BEGIN. Preparing a statement is a message, too.
    """

    text: str
    number: int
    is_copy: bool
    only_prepares: bool
    first: str

    @property
    def is_commit(self) -> bool:
        """Return whether it commits the transaction."""
        return self.text.startswith("COMMIT")


type ChooseFault = Callable[[Message], Fault]


def _no_fault(_: Message) -> Fault:
    return "pass"


@dataclass
class _Session:
    """The state of one connection."""

    statements: dict[bytes, str] = field(default_factory=dict)
    number: int = 0
    first: str = ""
    text: str = ""
    loses_response: bool = False
    replacement: bytes = b""
    """Sent to router in the place of the next response."""


class Proxy:
    """Forwards messages between router and PostgreSQL, with the faults that are chosen."""

    def __init__(self, dsn: str) -> None:
        self._to = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.choose_fault: ChooseFault = _no_fault

    @property
    def dsn(self) -> str:
        """The address to which routers connect."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        who = self._to.netloc.rpartition("@")[0]
        return self._to._replace(netloc=f"{who}@127.0.0.1:{port}").geturl()

    async def start(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def stop_faults(self) -> None:
        """Inject no more faults."""
        self.choose_fault = _no_fault

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError):
                to, back = await asyncio.open_connection(self._to.hostname, self._to.port)
                await self._forward(reader, writer, to, back)
        finally:
            writer.transport.abort()
            self._open.discard(task)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        session = _Session()
        ways = [
            asyncio.ensure_future(self._send(session, reader, writer, back)),
            asyncio.ensure_future(_forward_responses(session, to, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.transport.abort()  # before any await, which may be cancelled
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _send(
        self,
        session: _Session,
        reader: asyncio.StreamReader,
        answers: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Forward router's messages until a fault cuts the connection or router closes it."""
        with suppress(asyncio.IncompleteReadError, OSError):
            await _forward_startup(reader, writer)
            held = b""
            while True:
                kind, body, raw = await _message(reader)
                held += raw
                _track_statement(session, kind, body)
                if kind[0] not in _ENDS:
                    if kind in {b"p", b"X", b"d"}:
                        writer.write(held)
                        held = b""
                    continue
                message = _next_message(session, kind)
                fault = self.choose_fault(message)
                if fault == "cut":
                    return
                session.loses_response = fault == "answer lost"
                if fault in {"pass", "answer lost"}:
                    writer.write(held)
                elif message.is_commit:  # a failed COMMIT ends the transaction
                    session.replacement = _error(fault) + _ready(b"I")
                    writer.write(_ROLLBACK)
                elif kind == b"H":  # after an error, the client sends a Sync
                    answers.write(_error(fault))
                else:
                    answers.write(_error(fault) + _ready(b"E" if message.number > 1 else b"I"))
                held = b""


async def _forward_startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward the startup messages, which have no kind."""
    code = _TLS
    while code in _STARTING:
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size) - 4)
        writer.write(size + body)
        code = int.from_bytes(body[:4])


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
    return head[:1], body, head + body


def _track_statement(session: _Session, kind: bytes, body: bytes) -> None:
    """Track which statement a message executes: it is named once and then run by name."""
    if kind == b"P":
        name, text, _ = body.split(b"\0", 2)
        session.text = session.statements[name] = text.decode().strip()
    elif kind == b"B":
        session.text = session.statements.get(body.split(b"\0", 2)[1], "")
    elif kind == b"Q":
        session.text = body[:-1].decode().strip()


def _next_message(session: _Session, kind: bytes) -> Message:
    if session.text.startswith("BEGIN"):
        session.number = 0
    begun = session.number or session.text.startswith("BEGIN")
    session.number = session.number + 1 if begun else 0
    if session.number <= 2:
        session.first = session.text if session.number == 2 else ""
    message = Message(
        session.text,
        session.number,
        is_copy=kind in b"cf",
        only_prepares=kind == b"H",
        first=session.first,
    )
    if message.is_commit or session.text.startswith("ROLLBACK"):
        session.number = 0
    return message


async def _forward_responses(
    session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Forward PostgreSQL's responses until one is to be lost."""
    with suppress(OSError):
        while data := await reader.read(65536):
            if session.loses_response:
                return
            writer.write(session.replacement or data)
            session.replacement = b""


def _error(code: str) -> bytes:
    """Build an error response."""
    fields = f"SERROR\0VERROR\0C{code}\0Mstruck by a test\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4) + fields


def _ready(state: bytes) -> bytes:
    """Build a ReadyForQuery message; ``state`` is the state of the transaction."""
    return b"Z" + (5).to_bytes(4) + state


@asynccontextmanager
async def run_proxy(dsn: str) -> AsyncIterator[Proxy]:
    """Run a proxy to a database."""
    proxy = Proxy(dsn)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
