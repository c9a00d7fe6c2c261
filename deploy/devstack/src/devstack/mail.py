"""The local mail sink as a process: SMTP on one port, its page on another."""

import sys
from typing import override

from devstack.processes import Command
from devstack.servers import HOST, Context, Server, ask

__all__ = ["Mail"]


class Mail(Server):
    """Accepts every mail and delivers none."""

    name = "mail"
    title = "Mail sink"
    ports = ("mail", "mail-smtp")

    @override
    def command(self, context: Context) -> Command:
        """Run the sink's module; all its settings are arguments."""
        ports = context.saved.ports
        return Command(
            argv=[
                *(sys.executable, "-P", "-m", "devstack.mailsink"),
                *(str(ports["mail-smtp"]), str(ports["mail"]), str(context.home.mails)),
            ],
            log=context.home.logs / "mail.log",
            folder=context.home.folder,
        )

    @override
    async def probe(self, context: Context) -> str | None:
        """Get the health of its page."""
        return await ask(f"http://{HOST}:{context.saved.ports['mail']}/health")
