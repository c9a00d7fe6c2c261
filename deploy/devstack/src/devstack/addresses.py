"""The addresses of a stack's servers."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from devstack.databases import dsn_of
from devstack.keys import key_file
from devstack.postgres import admin_dsn
from devstack.servers import HOST
from devstack.state import SavedState
from premium.errors import CommandError
from shared.platform.api_keys import Keyed

__all__ = ["Addresses"]


@dataclass(frozen=True)
class Addresses:
    """Addresses from the saved state. The address of a server that never ran raises KeyError."""

    _saved: SavedState = field(repr=False)

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka's brokers, as host:port."""
        return self._saved.kafka_bootstrap or f"{HOST}:{self._saved.ports['kafka']}"

    @property
    def admin_dsn(self) -> str:
        """PostgreSQL's DSN for a role that may create databases."""
        return self._saved.postgres_dsn or admin_dsn(self._saved)

    def dsn(self, db: str, *, owner: bool = False) -> str:
        """Return the DSN of a service's database, for the service's role or the owner."""
        return dsn_of(self.admin_dsn, self._saved, db.replace("-", "_"), owner=owner)

    def pooled_dsn(self, db: str) -> str | None:
        """Return the DSN of a service's database through the pooler; None without a pooler."""
        pooler = self._saved.postgres_pooler
        if pooler is None:
            return None
        server = urlsplit(self.dsn(db))
        login = server.netloc.rpartition("@")[0]
        return server._replace(netloc=f"{login}@{pooler}").geturl()

    def http(self, service: str) -> str:
        """Return the base URL of a service, without a slash at the end."""
        return f"http://{HOST}:{self._saved.ports[service]}"

    def headers(self, service: Keyed, *, admin: bool = False) -> dict[str, str]:
        """Return the header with the stack's key. Raises CommandError before the first `up`."""
        key = self._saved.keys.get(key_file(service, admin=admin))
        if key is None:
            raise CommandError(f"the stack has no key for {service} yet: run `premium up`")
        return {"authorization": f"Bearer {key}"}

    @property
    def smtp_host(self) -> str:
        """The host of the mail sink's SMTP server."""
        return HOST

    @property
    def smtp_port(self) -> int:
        """The port of the mail sink's SMTP server."""
        return self._saved.ports["mail-smtp"]

    @property
    def mail_page(self) -> str:
        """The URL of the mail sink's page."""
        return self.http("mail")
