"""A proxy between a router and PostgreSQL that strikes at one message, as a fault would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

__all__ = ["Fate", "Message", "Proxy", "proxied"]

_STARTING: Final = frozenset((80877103, 80877102))
"""A request for TLS, and one to cancel: each stands alone before a session, or instead of it."""
_TLS: Final = 80877103
_ROLLBACK: Final = b"Q" + (13).to_bytes(4) + b"ROLLBACK\0"
_ENDS: Final = frozenset(b"HSQcf")
"""What the server answers: Flush, Sync, a simple query, and the end of a COPY."""

type Fate = Literal["pass", "cut", "answer lost", "40P01", "40001"]
"""What becomes of a message; a code of PostgreSQL's is an error that it has for an answer."""


@dataclass(frozen=True)
class Message:
    """What a router sends and awaits an answer to.

    ``number`` counts those of its transaction from BEGIN, which is 1; it is 0 outside of any.
    ``first`` is what came after BEGIN. What only prepares a statement is a message of its own.
    """

    text: str
    number: int
    is_copy: bool
    only_prepares: bool
    first: str

    @property
    def is_commit(self) -> bool:
        """Tell whether the transaction is committed with it."""
        return self.text.startswith("COMMIT")


type Judge = Callable[[Message], Fate]


def _let_pass(_: Message) -> Fate:
    return "pass"


@dataclass
class _Session:
    """What is known of one connection."""

    statements: dict[bytes, str] = field(default_factory=dict)
    number: int = 0
    first: str = ""
    text: str = ""
    loses_answer: bool = False
    instead: bytes = b""
    """The answer to be heard in the place of the next."""


class Proxy:
    """Forwards what routers and PostgreSQL say; ``judge`` decides on each message of a router."""

    def __init__(self, dsn: str) -> None:
        self._to = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.judge: Judge = _let_pass

    @property
    def dsn(self) -> str:
        """Where routers are to connect."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        who = self._to.netloc.rpartition("@")[0]
        return self._to._replace(netloc=f"{who}@127.0.0.1:{port}").geturl()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Cut all."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def let_pass(self) -> None:
        """Strike no more."""
        self.judge = _let_pass

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
            asyncio.ensure_future(self._ask(session, reader, writer, back)),
            asyncio.ensure_future(_answer(session, to, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.transport.abort()  # before anything is awaited: who stops may do so right now
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(
        self,
        session: _Session,
        reader: asyncio.StreamReader,
        answers: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Forward message by message, until one is struck or the router has gone."""
        with suppress(asyncio.IncompleteReadError, OSError):
            await _begin(reader, writer)
            held = b""
            while True:
                kind, body, raw = await _message(reader)
                held += raw
                _note(session, kind, body)
                if kind[0] not in _ENDS:
                    if kind in {b"p", b"X", b"d"}:
                        writer.write(held)
                        held = b""
                    continue
                message = _judged(session, kind)
                fate = self.judge(message)
                if fate == "cut":
                    return
                session.loses_answer = fate == "answer lost"
                if fate in {"pass", "answer lost"}:
                    writer.write(held)
                elif message.is_commit:  # whose failure ends the transaction
                    session.instead = _error(fate) + _ready(b"I")
                    writer.write(_ROLLBACK)
                elif kind == b"H":  # who hears of an error then asks whether all is ready
                    answers.write(_error(fate))
                else:
                    answers.write(_error(fate) + _ready(b"E" if message.number > 1 else b"I"))
                held = b""


async def _begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward what comes before a session's messages: it has no letter."""
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


def _note(session: _Session, kind: bytes, body: bytes) -> None:
    """Know what is asked: a statement is named once, and run by its name."""
    if kind == b"P":
        name, text, _ = body.split(b"\0", 2)
        session.text = session.statements[name] = text.decode().strip()
    elif kind == b"B":
        session.text = session.statements.get(body.split(b"\0", 2)[1], "")
    elif kind == b"Q":
        session.text = body[:-1].decode().strip()


def _judged(session: _Session, kind: bytes) -> Message:
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


async def _answer(
    session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Forward what PostgreSQL says, until an answer is to be lost."""
    with suppress(OSError):
        while data := await reader.read(65536):
            if session.loses_answer:
                return
            writer.write(session.instead or data)
            session.instead = b""


def _error(code: str) -> bytes:
    """Say that a statement failed."""
    fields = f"SERROR\0VERROR\0C{code}\0Mstruck by a test\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4) + fields


def _ready(state: bytes) -> bytes:
    """Say that the next message may come; ``state`` is the transaction's."""
    return b"Z" + (5).to_bytes(4) + state


@asynccontextmanager
async def proxied(dsn: str) -> AsyncIterator[Proxy]:
    """Stand in the way to a database."""
    proxy = Proxy(dsn)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
