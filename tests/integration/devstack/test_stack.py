"""The local stack survives two starts, kills at any moment, and refused folders and ports."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path
from typing import Final, override
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from devstack.reporting import SilentReporter
from devstack.stack import Stack, State
from premium.profile import SERVICES
from shared.basics.clock import wait_at_most
from shared.testing.servers import Servers

UP: Final = (sys.executable, "-m", "premium", "up")
LOOK_S: Final = 0.02
TOPIC: Final = "notifications.v1"


class Recorder(SilentReporter):
    """Records the lines that a stack reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @override
    def line(self, text: str) -> None:
        """Record the line."""
        self.lines.append(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a PostgreSQL and a Kafka that tests may kill."""
    stack = Stack(tmp_path_factory.mktemp("whole"))
    asyncio.run(stack.up(services=False))
    yield stack
    asyncio.run(stack.down(wipe=True))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return a data folder; check that no process of it is left."""
    yield tmp_path / "home"
    asyncio.run(Stack(tmp_path / "home").down(wipe=True))
    assert processes_in(tmp_path) == []


async def test_a_running_server_is_not_started_again(whole: Stack) -> None:
    """`up` starts nothing that runs, and reports it."""
    before, recorder = await whole.states(), Recorder()
    await Stack(whole.folder, report=recorder).up(services=False)
    assert await whole.states() == before
    assert sorted(recorder.lines) == ["Apache Kafka 4.3 already runs", "PostgreSQL 18 already runs"]


async def test_a_stack_writes_a_profile_for_its_owner_alone(whole: Stack) -> None:
    """The profile contains passwords, and the addresses of the servers."""
    profile = whole.profile
    assert stat.S_IMODE(profile.file.stat().st_mode) == 0o600
    assert profile.kafka_bootstrap == whole.addresses.kafka_bootstrap
    for service in SERVICES:
        assert profile.dsn(service) == whole.addresses.dsn(service, owner=True)
        assert profile.url(service) == whole.addresses.http(service)


async def test_killed_servers_start_again_at_their_addresses(whole: Stack) -> None:
    """After kill -9 of both servers, acknowledged data is there, at the same addresses."""
    addresses = whole.addresses
    postgres, bootstrap = addresses.admin_dsn, addresses.kafka_bootstrap
    await execute(postgres, "CREATE TABLE kept AS SELECT 1 AS number")
    await produce(bootstrap, b"kept")
    for name in ("postgres", "kafka"):
        whole.kill(name)
    assert ready(await whole.states()) == []
    await whole.up(services=False)
    assert (whole.addresses.admin_dsn, whole.addresses.kafka_bootstrap) == (postgres, bootstrap)
    await execute(postgres, "DROP TABLE kept")
    assert await consume(bootstrap) == b"kept"


async def test_a_service_does_not_own_its_database(whole: Stack) -> None:
    """A service's role may neither create a table nor connect to another service's database."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(whole.addresses.dsn("router"), "CREATE TABLE mine (id int)")
    theirs = whole.addresses.dsn("router").replace("/router?", "/intake?")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(theirs, "SELECT 1")


async def test_down_leaves_no_process(whole: Stack) -> None:
    """The next start finds the data of the stack."""
    await whole.down()
    assert processes_in(whole.folder) == []
    assert await consume((await whole.up(services=False)).kafka_bootstrap) == b"kept"


async def test_down_after_a_kill_leaves_no_worker(home: Path, servers: Servers) -> None:
    """A stop after kill -9 of PostgreSQL ends its workers as well."""
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    stack.kill("postgres")
    await stack.down()
    assert processes_in(home) == []


async def test_two_starts_at_once_start_each_server_once(home: Path, servers: Servers) -> None:
    """The second start waits, and uses what the first started."""
    recorders = [Recorder(), Recorder()]
    stacks = [
        Stack(home, kafka_bootstrap=servers.kafka_bootstrap, report=report) for report in recorders
    ]
    await asyncio.gather(*(stack.up(services=False) for stack in stacks))
    lines = sorted(line for report in recorders for line in report.lines if "chmod" not in line)
    assert lines == [
        "PostgreSQL 18 already runs",
        "PostgreSQL 18 is ready",
        f"Waiting: another command works in {home}",
    ]


async def test_a_port_in_use_is_replaced(home: Path, servers: Servers) -> None:
    """If another program uses the port of the last start, another port is chosen and reported."""
    recorder = Recorder()
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap, report=recorder)
    await stack.up(services=False)
    port = port_of(stack)
    await stack.down()
    with socket.create_server(("127.0.0.1", port)):
        await stack.up(services=False)
        assert port_of(stack) != port
    moved = f"PostgreSQL 18 moves to port {port_of(stack)}: another program has {port}"
    assert moved in recorder.lines


async def test_a_stale_pid_file_does_not_prevent_a_start(home: Path, servers: Servers) -> None:
    """PostgreSQL starts although the pid file of a killed server names a running process."""
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    stack.kill("postgres")
    note = home / "postgres" / "postmaster.pid"
    _, _, rest = note.read_text().partition("\n")
    note.write_text(f"{os.getpid()}\n{rest}")
    await stack.start("postgres")
    assert ready(await stack.states()) == ["postgres"]


async def test_external_servers_are_only_used(home: Path, servers: Servers) -> None:
    """External servers are neither started nor stopped."""
    theirs = Stack(home / "theirs", kafka_bootstrap=servers.kafka_bootstrap)
    dsn = (await theirs.up(services=False)).admin_dsn
    ours = Stack(home / "ours", kafka_bootstrap=servers.kafka_bootstrap, postgres_dsn=dsn)
    await ours.up(services=False)
    assert processes_in(home / "ours") == []
    await execute(ours.addresses.dsn("intake"), "SELECT 1")
    await ours.down(wipe=True)
    assert ready(await theirs.states()) == ["postgres"]
    await theirs.down(wipe=True)


@pytest.mark.parametrize("moment", [".postgres.new/data", "run/postgres.json"])
async def test_a_start_after_a_killed_start_succeeds(
    home: Path, servers: Servers, moment: str
) -> None:
    """Wherever `up` was killed, the next one succeeds."""
    process = await bring_up(home, servers)
    await appears(home / moment, process)
    process.kill()
    await process.communicate()
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    assert "postgres" in ready(await stack.states())


async def test_a_killed_start_can_be_stopped(home: Path, servers: Servers) -> None:
    """After kill -9 of `up`, `down` finds every process that it started."""
    process = await bring_up(home, servers)
    await appears(home / "run" / "postgres.json", process)
    process.kill()
    await process.communicate()
    await Stack(home).down()
    assert processes_in(home) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
)
async def test_an_interrupted_start_cleans_up(
    home: Path, servers: Servers, number: signal.Signals, code: int
) -> None:
    """A signal during `up` stops what it started, with one line and the usual exit code.

    A closing terminal sends SIGHUP; the runner of these tests may ignore it, so it is reset.
    """
    process = await bring_up(home, servers, "env", "--default-signal=HUP")
    await appears(home / "run" / "postgres.json", process)
    process.send_signal(number)
    _, complaint = await process.communicate()
    assert complaint.decode().count("\n") == 1
    assert process.returncode == code
    assert processes_in(home) == []


async def test_a_folder_without_permission_is_reported_in_one_line(servers: Servers) -> None:
    """If `up` cannot write its folder, the line says what to do."""
    process = await bring_up(Path("/sys/premium"), servers)
    await fails_with(process, "cannot write in /sys/premium")


async def test_a_full_disk_is_reported_in_one_line(home: Path, servers: Servers) -> None:
    """If the disk is full, `up` reports it, and leaves nothing running."""
    process = await bring_up(home, servers, "sh", "-c", 'ulimit -f 64 && exec "$@"', "sh")
    await fails_with(process, "File too large")


async def test_a_first_start_without_a_network_is_reported_in_one_line(
    home: Path, tmp_path: Path
) -> None:
    """If jars are missing and cannot be downloaded, the line says what to do."""
    nowhere = {"XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    process = await bring_up(home, None, **nowhere)
    await fails_with(process, "connect to the network once")


async def bring_up(
    home: Path, servers: Servers | None, *before: str, **environment: str
) -> Process:
    """Start `premium up` as a process, with an external Kafka."""
    kafka = {} if servers is None else {"PREMIUM_KAFKA_BOOTSTRAP": servers.kafka_bootstrap}
    return await asyncio.create_subprocess_exec(
        *before,
        *UP,
        env={**os.environ, **kafka, **environment, "PREMIUM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def appears(path: Path, process: Process) -> None:
    """Wait for a file that the process creates."""
    while not path.exists():  # noqa: ASYNC240 - on a local disk
        assert process.returncode is None
        await wait_at_most(process.wait(), LOOK_S)


async def fails_with(process: Process, what: str) -> None:
    """Check that the process failed with one line that contains this."""
    _, complaint = await process.communicate()
    assert what in complaint.decode()
    assert complaint.decode().count("\n") == 1
    assert process.returncode == 1


def processes_in(folder: Path) -> list[str]:
    """List the processes that work in a folder, or have it as an argument."""
    found = psutil.process_iter(["cmdline", "cwd", "status"])
    return [
        " ".join(process.info["cmdline"] or ())
        for process in found
        if process.pid != os.getpid()
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and str(folder) in f"{process.info['cwd']} {process.info['cmdline']}"
    ]


def ready(states: list[State]) -> list[str]:
    """Return the names of the servers that are ready."""
    return [state.name for state in states if state.reason is None]


def port_of(stack: Stack) -> int | None:
    """Return PostgreSQL's port."""
    return urlsplit(stack.addresses.admin_dsn).port


async def execute(dsn: str, statement: str) -> None:
    """Run a statement."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def produce(bootstrap: str, value: bytes) -> None:
    """Write a record, and wait for its acknowledgement."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value, partition=0)


async def consume(bootstrap: str) -> object:
    """Read the first record."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        return (await consumer.getone()).value
