"""The HTTP server of every service, on a real socket."""

from socket import IPPROTO_TCP, TCP_NODELAY

from starlette.applications import Starlette

from shared.platform.http import HttpServer, ops_routes


async def test_a_response_does_not_wait_for_an_ack() -> None:
    """Headers and body are sent at once; Nagle's algorithm would delay the body."""
    server = HttpServer(Starlette(routes=ops_routes({})), host="127.0.0.1", port=0)
    await server.start()
    assert server.listening is not None
    assert server.listening.getsockopt(IPPROTO_TCP, TCP_NODELAY)
    await server.stop()
