"""The local stack keeps its word: started twice, killed anywhere, refused a folder or a port."""

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

from devstack.reporting import Silent
from devstack.stack import Stack, State
from premium.profile import SERVICES
from shared.basics.clock import wait_at_most
from shared.testing.servers import Servers

UP: Final = (sys.executable, "-m", "premium", "up")
LOOK_S: Final = 0.02
TOPIC: Final = "notifications.v1"


class Heard(Silent):
    """Remembers what a stack said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @override
    def say(self, line: str) -> None:
        """Note it down."""
        self.lines.append(line)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a PostgreSQL and a Kafka that tests may kill."""
    stack = Stack(tmp_path_factory.mktemp("whole"))
    asyncio.run(stack.up(services=False))
    yield stack
    asyncio.run(stack.down(wipe=True))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Give a data folder, and see that nothing lives on in it."""
    yield tmp_path / "home"
    asyncio.run(Stack(tmp_path / "home").down(wipe=True))
    assert living_in(tmp_path) == []


async def test_what_runs_is_adopted(whole: Stack) -> None:
    """Bringing up what is up starts nothing, and says so."""
    before, heard = await whole.states(), Heard()
    await Stack(whole.folder, report=heard).up(services=False)
    assert await whole.states() == before
    assert sorted(heard.lines) == ["Apache Kafka 4.3 was running", "PostgreSQL 18 was running"]


async def test_a_stack_writes_a_profile_for_its_owner_alone(whole: Stack) -> None:
    """It holds passwords, and names the servers where they are."""
    profile = whole.profile
    assert stat.S_IMODE(profile.file.stat().st_mode) == 0o600
    assert profile.kafka_bootstrap == whole.addresses.kafka_bootstrap
    for service in SERVICES:
        assert profile.dsn(service) == whole.addresses.dsn(service, owner=True)
        assert profile.url(service) == whole.addresses.http(service)


async def test_killed_servers_come_back_where_they_were(whole: Stack) -> None:
    """After kill -9 of both servers, what was acknowledged is there, at the same addresses."""
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


async def test_a_service_is_no_owner(whole: Stack) -> None:
    """A service's role may neither make a table nor enter another service's database."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(whole.addresses.dsn("router"), "CREATE TABLE mine (id int)")
    theirs = whole.addresses.dsn("router").replace("/router?", "/intake?")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(theirs, "SELECT 1")


async def test_down_leaves_nothing(whole: Stack) -> None:
    """After a stop no process of the stack is left, and the next start finds its data."""
    await whole.down()
    assert living_in(whole.folder) == []
    assert await consume((await whole.up(services=False)).kafka_bootstrap) == b"kept"


async def test_down_after_a_kill_leaves_no_worker(home: Path, servers: Servers) -> None:
    """A stop after kill -9 of PostgreSQL sees its workers off as well."""
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    stack.kill("postgres")
    await stack.down()
    assert living_in(home) == []


async def test_two_at_once_do_it_once(home: Path, servers: Servers) -> None:
    """Of two starts at the same moment the second waits, and adopts what the first started."""
    heard = [Heard(), Heard()]
    stacks = [
        Stack(home, kafka_bootstrap=servers.kafka_bootstrap, report=report) for report in heard
    ]
    await asyncio.gather(*(stack.up(services=False) for stack in stacks))
    said = sorted(line for report in heard for line in report.lines if "chmod" not in line)
    assert said == [
        "PostgreSQL 18 is ready",
        "PostgreSQL 18 was running",
        f"Waiting: another command is at work in {home}",
    ]


async def test_a_busy_port_is_left_to_whoever_has_it(home: Path, servers: Servers) -> None:
    """When the port of last time is taken, another is chosen, and said."""
    heard = Heard()
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap, report=heard)
    await stack.up(services=False)
    port = port_of(stack)
    await stack.down()
    with socket.create_server(("127.0.0.1", port)):
        await stack.up(services=False)
        assert port_of(stack) != port
    moved = f"PostgreSQL 18 moves to port {port_of(stack)}: another program has {port}"
    assert moved in heard.lines


async def test_a_stale_process_id_stops_nobody(home: Path, servers: Servers) -> None:
    """PostgreSQL starts although its note of a killed life names a process that runs."""
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    stack.kill("postgres")
    note = home / "postgres" / "postmaster.pid"
    _, _, rest = note.read_text().partition("\n")
    note.write_text(f"{os.getpid()}\n{rest}")
    await stack.start("postgres")
    assert ready(await stack.states()) == ["postgres"]


async def test_servers_of_others_are_only_used(home: Path, servers: Servers) -> None:
    """Given servers are neither started nor stopped; a stop leaves them as they were."""
    theirs = Stack(home / "theirs", kafka_bootstrap=servers.kafka_bootstrap)
    dsn = (await theirs.up(services=False)).admin_dsn
    ours = Stack(home / "ours", kafka_bootstrap=servers.kafka_bootstrap, postgres_dsn=dsn)
    await ours.up(services=False)
    assert living_in(home / "ours") == []
    await execute(ours.addresses.dsn("intake"), "SELECT 1")
    await ours.down(wipe=True)
    assert ready(await theirs.states()) == ["postgres"]
    await theirs.down(wipe=True)


@pytest.mark.parametrize("moment", [".postgres.new/data", "run/postgres.json"])
async def test_a_start_that_was_killed_is_taken_up(
    home: Path, servers: Servers, moment: str
) -> None:
    """After kill -9 of `up`, wherever it was, the next one ends ready."""
    process = await bring_up(home, servers)
    await appears(home / moment, process)
    process.kill()
    await process.communicate()
    stack = Stack(home, kafka_bootstrap=servers.kafka_bootstrap)
    await stack.up(services=False)
    assert "postgres" in ready(await stack.states())


async def test_a_start_that_was_killed_can_be_stopped(home: Path, servers: Servers) -> None:
    """After kill -9 of `up`, `down` finds everything that it had started."""
    process = await bring_up(home, servers)
    await appears(home / "run" / "postgres.json", process)
    process.kill()
    await process.communicate()
    await Stack(home).down()
    assert living_in(home) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
)
async def test_an_interrupted_start_cleans_up(
    home: Path, servers: Servers, number: signal.Signals, code: int
) -> None:
    """A signal in the middle of `up` stops what it started, in one line and the usual code.

    A terminal that closes sends SIGHUP, which whoever runs these tests may have set aside.
    """
    process = await bring_up(home, servers, "env", "--default-signal=HUP")
    await appears(home / "run" / "postgres.json", process)
    process.send_signal(number)
    _, complaint = await process.communicate()
    assert complaint.decode().count("\n") == 1
    assert process.returncode == code
    assert living_in(home) == []


async def test_a_folder_that_takes_nothing_is_one_line(servers: Servers) -> None:
    """Where nothing can be made, `up` says so and what to do."""
    process = await bring_up(Path("/sys/premium"), servers)
    await complains(process, "cannot write in /sys/premium")


async def test_a_folder_that_is_full_is_one_line(home: Path, servers: Servers) -> None:
    """Where nothing more can be written, `up` says so, and leaves nothing running."""
    process = await bring_up(home, servers, "sh", "-c", 'ulimit -f 64 && exec "$@"', "sh")
    await complains(process, "File too large")


async def test_without_a_network_the_first_start_is_one_line(home: Path, tmp_path: Path) -> None:
    """Without the jars and without a network, `up` says which of them it needs."""
    nowhere = {"XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    process = await bring_up(home, None, **nowhere)
    await complains(process, "connect to the network once")


async def bring_up(
    home: Path, servers: Servers | None, *before: str, **environment: str
) -> Process:
    """Start `premium up` as a process, on a Kafka that is there already."""
    kafka = {} if servers is None else {"PREMIUM_KAFKA_BOOTSTRAP": servers.kafka_bootstrap}
    return await asyncio.create_subprocess_exec(
        *before,
        *UP,
        env={**os.environ, **kafka, **environment, "PREMIUM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def appears(path: Path, process: Process) -> None:
    """Wait for a file that the process will make."""
    while not path.exists():  # noqa: ASYNC240 - on a local disk
        assert process.returncode is None
        await wait_at_most(process.wait(), LOOK_S)


async def complains(process: Process, what: str) -> None:
    """See that it failed with one line that says this."""
    _, complaint = await process.communicate()
    assert what in complaint.decode()
    assert complaint.decode().count("\n") == 1
    assert process.returncode == 1


def living_in(folder: Path) -> list[str]:
    """List the processes that work in a folder, or were told of it."""
    found = psutil.process_iter(["cmdline", "cwd", "status"])
    return [
        " ".join(process.info["cmdline"] or ())
        for process in found
        if process.pid != os.getpid()
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and str(folder) in f"{process.info['cwd']} {process.info['cmdline']}"
    ]


def ready(states: list[State]) -> list[str]:
    """Name the servers that are ready."""
    return [state.name for state in states if state.reason is None]


def port_of(stack: Stack) -> int | None:
    """Read where PostgreSQL is."""
    return urlsplit(stack.addresses.admin_dsn).port


async def execute(dsn: str, statement: str) -> None:
    """Run a statement."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def produce(bootstrap: str, value: bytes) -> None:
    """Write a record, acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value, partition=0)


async def consume(bootstrap: str) -> object:
    """Read the first record."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        return (await consumer.getone()).value
