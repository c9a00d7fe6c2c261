"""Limits the size and the arrival time of request headers; uvicorn's parser limits neither.

Bodies are limited where they are read (`limits`). Only the unread rest of one is limited here.
"""

import asyncio
from typing import ClassVar, Final, override

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEADER_BYTES_MAX", "HeaderLimits"]

HEADER_BYTES_MAX: Final = 64 * 1024


class HeaderLimits(HttpToolsProtocol):
    """Closes a connection whose headers are too large or take too long to arrive.

    The time limit also applies to the rest of a body whose request was already answered.
    """

    wait_s_max: ClassVar[float] = 10.0
    _header_bytes: int | None = 0
    """Bytes of headers received so far; None while a body arrives."""
    _timer: asyncio.TimerHandle | None = None

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
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if (self._header_bytes or 0) > HEADER_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too large.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    @override
    def on_headers_complete(self) -> None:
        self._header_bytes = None
        self._wait_no_more()
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._header_bytes = 0
        self._wait_no_more()
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._header_bytes is None:
            self._wait()

    def _wait(self) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(self.wait_s_max, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
