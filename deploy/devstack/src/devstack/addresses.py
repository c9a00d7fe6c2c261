"""Where everything of a stack is."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from devstack.databases import dsn_of
from devstack.postgres import admin_dsn
from devstack.servers import HOST
from devstack.state import Memory
from premium.errors import CommandError
from shared.platform.api_keys import Keyed

__all__ = ["Addresses"]


@dataclass(frozen=True)
class Addresses:
    """Read from what the stack remembers. A port of what never ran raises KeyError."""

    _memory: Memory = field(repr=False)

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka, as host:port."""
        return self._memory.kafka_bootstrap or f"{HOST}:{self._memory.ports['kafka']}"

    @property
    def admin_dsn(self) -> str:
        """PostgreSQL, for a role that may create databases."""
        return self._memory.postgres_dsn or admin_dsn(self._memory)

    def dsn(self, db: str, *, owner: bool = False) -> str:
        """Name a service's database, for the service's own role or for the owner."""
        return dsn_of(self.admin_dsn, self._memory, db.replace("-", "_"), owner=owner)

    def pooled_dsn(self, db: str) -> str | None:
        """Name a service's database by way of the pooler, if there is one."""
        pooler = self._memory.postgres_pooler
        if pooler is None:
            return None
        server = urlsplit(self.dsn(db))
        login = server.netloc.rpartition("@")[0]
        return server._replace(netloc=f"{login}@{pooler}").geturl()

    def http(self, service: str) -> str:
        """Name a service's HTTP door, without a slash at the end."""
        return f"http://{HOST}:{self._memory.ports[service]}"

    def headers(self, service: Keyed) -> dict[str, str]:
        """Show the stack's key at a service's door. Raises CommandError before it was first up."""
        if service not in self._memory.keys:
            raise CommandError(f"the stack has no key for {service} yet: run `premium up`")
        return {"authorization": f"Bearer {self._memory.keys[service]}"}

    @property
    def smtp_host(self) -> str:
        """Where mail is taken."""
        return HOST

    @property
    def smtp_port(self) -> int:
        """The same."""
        return self._memory.ports["mail-smtp"]

    @property
    def mail_page(self) -> str:
        """The page of the mails."""
        return self.http("mail")
