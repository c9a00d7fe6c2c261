"""Bounds what is sent around a body: the parser takes a head of any size, for as long as it lasts.

A body is bounded where it is read (`limits`); what is left of one that nobody read, here.
"""

import asyncio
from typing import ClassVar, Final, override

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEADER_BYTES_MAX", "HeaderLimits"]

HEADER_BYTES_MAX: Final = 64 * 1024


class HeaderLimits(HttpToolsProtocol):
    """Closes a connection on which a head is too large, or does not arrive.

    The same for the rest of a body that was answered before it had come.
    """

    wait_s_max: ClassVar[float] = 10.0
    _head_bytes: int | None = 0
    """How much of a head has come; None while a body does."""
    _patience: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        self._wait()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if (self._head_bytes or 0) > HEADER_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too large.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    @override
    def on_headers_complete(self) -> None:
        self._head_bytes = None
        self._wait_no_more()
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._head_bytes = 0
        self._wait_no_more()
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._head_bytes is None:
            self._wait()

    def _wait(self) -> None:
        self._wait_no_more()
        self._patience = self.loop.call_later(self.wait_s_max, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
