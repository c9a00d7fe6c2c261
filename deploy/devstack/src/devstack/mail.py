"""The local mail sink as a process: SMTP on one port, its page on another."""

import sys
from typing import override

from devstack.processes import Command
from devstack.servers import HOST, Server, Site, ask

__all__ = ["Mail"]


class Mail(Server):
    """Takes every mail and delivers none."""

    name = "mail"
    title = "Mail sink"
    ports = ("mail", "mail-smtp")

    @override
    def command(self, site: Site) -> Command:
        """Run our own module; it is told everything on its command line."""
        ports = site.memory.ports
        return Command(
            argv=[
                *(sys.executable, "-P", "-m", "devstack.mailsink"),
                *(str(ports["mail-smtp"]), str(ports["mail"]), str(site.home.mails)),
            ],
            log=site.home.logs / "mail.log",
            folder=site.home.folder,
        )

    @override
    async def probe(self, site: Site) -> str | None:
        """Ask its page."""
        return await ask(f"http://{HOST}:{site.memory.ports['mail']}/health")
