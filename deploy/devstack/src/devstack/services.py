"""The four services as processes: what each is told, its migrations, and whether it is ready."""

import sys
from collections.abc import Mapping
from typing import Final, override

import asyncpg

from devstack.addresses import Addresses
from devstack.processes import Command
from devstack.servers import HOST, Server, Site, ask
from premium.errors import CommandError
from shared.basics.errors import Poison, Transient
from shared.platform import migrations

__all__ = ["NUMBERS", "Service"]

NUMBERS: Final = "telephone numbers"
"""Among the passwords: what intake makes digests of telephone numbers by."""


class Service(Server):
    """One of the services."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = name
        self.ports = (name,)
        self.package = name.replace("-", "_")

    async def migrate(self, site: Site) -> None:
        """Migrate its database, as the owner: what `python -m <service> migrate` does.

        Four processes that load four services to find nothing to do would take as long as
        everything else together.
        """
        dsn = Addresses(site.memory).dsn(self.package, owner=True)
        try:
            await migrations.apply(dsn, self.package)
        except (Poison, Transient, asyncpg.PostgresError, ModuleNotFoundError) as e:
            raise CommandError(f"cannot migrate {self.name}'s database: {e}") from e

    @override
    def command(self, site: Site) -> Command:
        """Serve."""
        return Command(
            argv=[sys.executable, "-P", "-m", self.package],
            env=self._environment(site),
            log=site.home.logs / f"{self.name}.log",
            folder=site.home.folder,
        )

    @override
    async def probe(self, site: Site) -> str | None:
        """Ask /ready."""
        return await ask(f"{Addresses(site.memory).http(self.name)}/ready")

    def _environment(self, site: Site) -> Mapping[str, str]:
        addresses = Addresses(site.memory)
        direct, pooled = addresses.dsn(self.package), addresses.pooled_dsn(self.package)
        told = {
            **({"DSN": direct} if pooled is None else {"DSN": pooled, "DIRECT_DSN": direct}),
            "KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(site.memory.ports[self.name]),
            "INSTANCE_ID": "local",
        }
        if self.name == "intake":
            told |= {
                "NUMBER_SECRET": site.memory.passwords[NUMBERS],
                "WEBHOOK_SECRETS_DIR": str(site.home.folder / "webhook-secrets"),
            }
        if self.name == "router":
            key = site.memory.keys.get("intake", "")
            told |= {"INTAKE_URL": addresses.http("intake"), "INTAKE_KEY": key}
        if self.name == "notifier":
            told |= {
                "SMTP_HOST": addresses.smtp_host,
                "SMTP_PORT": str(addresses.smtp_port),
                "SMTP_SECURITY": "none",
                "MAIL_FROM": "support@premium.example",
                "TEAM_MAIL": "team@premium.example",
                "TICKET_URL": f"{addresses.http('router')}/inbox?ticket={{ticket_id}}",
            }
        return {f"{self.package.upper()}_{name}": value for name, value in told.items()}
