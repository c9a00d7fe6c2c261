"""Every service's HTTP server on a real socket."""

from socket import IPPROTO_TCP, TCP_NODELAY

from starlette.applications import Starlette

from shared.platform.http import HttpServer, ops_routes


async def test_an_answer_waits_for_no_acknowledgement() -> None:
    """Its head and its body are sent at once: Nagle's algorithm would hold the body back."""
    server = HttpServer(Starlette(routes=ops_routes({})), host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    assert server.listening.getsockopt(IPPROTO_TCP, TCP_NODELAY)
    await server.stop()
