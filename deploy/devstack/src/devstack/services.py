"""The four services as processes: their settings, migrations and readiness."""

import sys
from collections.abc import Mapping
from typing import Final, override

import asyncpg

from devstack.addresses import Addresses
from devstack.keys import key_file
from devstack.processes import Command
from devstack.servers import HOST, Context, Server, ask
from premium.errors import CommandError
from shared.basics.errors import Poison, Transient
from shared.platform import migrations

__all__ = ["NUMBERS", "Service"]

NUMBERS: Final = "telephone numbers"
"""The name, among the passwords, of intake's secret for digests of telephone numbers."""


class Service(Server):
    """One of the services."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = name
        self.ports = (name,)
        self.package = name.replace("-", "_")

    async def migrate(self, context: Context) -> None:
        """Migrate the service's database as its owner.

        `python -m <service> migrate` does the same, but four such processes would take as long as
        the rest of the start.
        """
        dsn = Addresses(context.saved).dsn(self.package, owner=True)
        try:
            await migrations.apply(dsn, self.package)
        except (Poison, Transient, asyncpg.PostgresError, ModuleNotFoundError) as e:
            raise CommandError(f"cannot migrate {self.name}'s database: {e}") from e

    @override
    def command(self, context: Context) -> Command:
        """Run the service's module."""
        return Command(
            argv=[sys.executable, "-P", "-m", self.package],
            env=self._environment(context),
            log=context.home.logs / f"{self.name}.log",
            folder=context.home.folder,
        )

    @override
    async def probe(self, context: Context) -> str | None:
        """Get /ready."""
        return await ask(f"{Addresses(context.saved).http(self.name)}/ready")

    def _environment(self, context: Context) -> Mapping[str, str]:
        addresses = Addresses(context.saved)
        direct, pooled = addresses.dsn(self.package), addresses.pooled_dsn(self.package)
        values = {
            **({"DSN": direct} if pooled is None else {"DSN": pooled, "DIRECT_DSN": direct}),
            "KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(context.saved.ports[self.name]),
            "INSTANCE_ID": "local",
        }
        if self.name == "intake":
            values |= {
                "NUMBER_SECRET": context.saved.passwords[NUMBERS],
                "WEBHOOK_SECRETS_DIR": str(context.home.folder / "webhook-secrets"),
            }
        if self.name == "router":
            key = context.saved.keys.get(key_file("intake"), "")
            values |= {"INTAKE_URL": addresses.http("intake"), "INTAKE_KEY": key}
        if self.name == "notifier":
            values |= {
                "SMTP_HOST": addresses.smtp_host,
                "SMTP_PORT": str(addresses.smtp_port),
                "SMTP_SECURITY": "none",
                "MAIL_FROM": "support@premium.example",
                "TEAM_MAIL": "team@premium.example",
                "TICKET_URL": f"{addresses.http('router')}/inbox?ticket={{ticket_id}}",
            }
        return {f"{self.package.upper()}_{name}": value for name, value in values.items()}
