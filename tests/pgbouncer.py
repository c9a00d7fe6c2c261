"""A real PgBouncer before a test's database: small, and at another server each time."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from devstack.ports import free_port

__all__ = ["Mode", "pgbouncer", "through"]

type Mode = Literal["session", "transaction"]

_NOBODY: Final = "nobody"
"""PgBouncer refuses root."""
_READY_S: Final = 10
_SERVERS: Final[dict[Mode, int]] = {"session": 60, "transaction": 3}
_SETTINGS: Final = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {servers}
server_round_robin = 1
max_client_conn = 500
"""


@contextmanager
def pgbouncer(dsns: Iterable[str], mode: Mode) -> Iterator[str]:
    """Run a pooler before the server of some DSNs, for their roles; its host:port comes back."""
    servers = [urlsplit(dsn) for dsn in dsns]
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    port = free_port()
    _write(folder, servers, port, mode)
    process = subprocess.Popen(
        [_program(), str(folder / "ini")],
        user=_NOBODY if os.geteuid() == 0 else None,
        stderr=subprocess.PIPE,
    )
    try:
        _await_ready(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()
        shutil.rmtree(folder)


def through(pooler: str, dsn: str) -> str:
    """Name the same database by way of a pooler."""
    server = urlsplit(dsn)
    login = server.netloc.rpartition("@")[0]
    return server._replace(netloc=f"{login}@{pooler}").geturl()


def _program() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found is not None, "no pgbouncer: run deploy/pgbouncer"
    return found


def _write(folder: Path, servers: list[SplitResult], port: int, mode: Mode) -> None:
    users = {(s.username or "", unquote(s.password or "")) for s in servers}
    (folder / "users").write_text("".join(f'"{name}" "{word}"\n' for name, word in users))
    settings = _SETTINGS.format(
        host=servers[0].hostname,
        port=servers[0].port,
        listen_port=port,
        folder=folder,
        mode=mode,
        servers=_SERVERS[mode],
    )
    (folder / "ini").write_text(settings)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, _NOBODY)


def _await_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if b"process up" in line:
            break
    with create_connection(("127.0.0.1", port), timeout=_READY_S):
        pass
