"""PostgreSQL and Kafka in containers, through testcontainers."""

import gc
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, override

import docker
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

__all__ = ["images", "started", "why_unusable"]

_DEFAULTS: Final = {
    "PREMIUM_TEST_POSTGRES_IMAGE": "postgres:18",
    "PREMIUM_TEST_KAFKA_IMAGE": "apache/kafka:4.3.1",
}
_ANSWER_S_MAX: Final = 5
_START_S_MAX: Final = 180
_PORT: Final = 9092
_STARTER: Final = "/tmp/start"  # noqa: S108 - inside our own container


def images(environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Return the images of PostgreSQL and Kafka."""
    postgres, kafka = (environ.get(name) or default for name, default in _DEFAULTS.items())
    return postgres, kafka


def why_unusable(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return in one line why containers cannot be used, or None."""
    with warnings.catch_warnings():
        # After a failed connection the Docker client leaves its socket open.
        warnings.simplefilter("ignore", ResourceWarning)
        found = _obstacle(environ)
        gc.collect()
    return found


def _obstacle(environ: Mapping[str, str]) -> str | None:
    try:
        client = docker.from_env(timeout=_ANSWER_S_MAX)
    except DockerException:
        return "no Docker daemon answers"
    reaper = () if testcontainers_config.ryuk_disabled else (testcontainers_config.ryuk_image,)
    try:
        for image in (*images(environ), *reaper):
            if not client.images.list(image):
                client.images.get_registry_data(image)
    except (DockerException, OSError):
        return f"image {image} is not here and no registry offers it"
    finally:
        client.close()
    return None


@contextmanager
def started(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Run PostgreSQL and Kafka during the block; yield the DSN and the bootstrap address."""
    postgres_image, kafka_image = images(environ)
    with (
        PostgresContainer(postgres_image, driver=None) as postgres,
        KafkaContainer(kafka_image) as kafka,
    ):
        yield postgres.get_connection_url(), kafka.bootstrap


class KafkaContainer(DockerContainer):
    """One broker in KRaft mode, from the image apache/kafka or a compatible one.

    A broker advertises its address to clients, but the port is known only once the container runs.
    So the container first waits for a start script, which is copied in once the port is known.
    """

    def __init__(self, image: str) -> None:
        wait = f"until [ -f {_STARTER} ]; do sleep 0.1; done; sh {_STARTER}"
        super().__init__(image)
        self.with_command(["sh", "-c", wait])
        self.with_exposed_ports(_PORT)
        self.with_envs(
            CLUSTER_ID="premium-test-cluster-0",
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS=f"CLIENT://:{_PORT},BROKER://:9093,CONTROLLER://:9094",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_INTER_BROKER_LISTENER_NAME="BROKER",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9094",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR="1",
        )

    @property
    def bootstrap(self) -> str:
        """The address for clients outside the container."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(_PORT)}"

    @override
    def start(self) -> "KafkaContainer":
        super().start()
        advertised = f"CLIENT://{self.bootstrap},BROKER://localhost:9093"
        script = f"export KAFKA_ADVERTISED_LISTENERS={advertised}\nexec /etc/kafka/docker/run\n"
        self.copy_into_container(script.encode(), _STARTER)
        ready = LogMessageWaitStrategy("Kafka Server started")
        ready.with_poll_interval(0.1).with_startup_timeout(_START_S_MAX).wait_until_ready(self)
        return self
